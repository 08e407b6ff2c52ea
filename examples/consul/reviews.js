// Any HTTP server, on any free port. It asks "ratings" by name.
import http from "node:http";

http
  .createServer(async (_, response) => {
    const answer = await fetch("http://ratings/");
    response.writeHead(answer.status).end(`reviews ${process.env.VERSION}, ${await answer.text()}`);
  })
  .listen(0, "127.0.0.1");
