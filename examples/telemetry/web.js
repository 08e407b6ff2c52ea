// Asks "reviews" by name. It knows nothing of metrics, traces or inmesh.
import http from "node:http";

http
  .createServer(async (_, response) => {
    const answer = await fetch("http://reviews/");
    response.writeHead(answer.status).end(`the shop shows: ${await answer.text()}`);
  })
  .listen(Number(process.env.WEB_PORT ?? 8080), "127.0.0.1");
