/** Stars: bare node:http. */

import { createServer } from "node:http";
import { createJournal } from "./journal.js";

const journal = createJournal("ratings");

const server = createServer((request, response) => {
  journal.watch(request, response);
  const [, kind, id] = new URL(request.url, "http://ratings").pathname.split("/");
  response.setHeader("content-type", "application/json");
  if (kind !== "ratings" || !id) {
    response.statusCode = 404;
    return response.end('{"error":"no such thing"}');
  }
  response.end(JSON.stringify({ id, stars: 1 + (Number(id) % 5 || 0) }));
});

server.listen(Number(process.env.PORT ?? 9081), "127.0.0.1", () => {
  console.log(`ratings listens on port ${server.address().port}`);
});
