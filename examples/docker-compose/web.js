// Asks "reviews" by name, and hands on who is a beta tester. It knows nothing of inmesh, and nothing of containers.
import http from "node:http";

http
  .createServer(async (request, response) => {
    const answer = await fetch("http://reviews/", { headers: { "x-beta": request.headers["x-beta"] ?? "no" } });
    response.writeHead(answer.status).end(`the shop shows: ${await answer.text()}\n`);
  })
  .listen(Number(process.env.PORT), process.env.HOST);
