// An ordinary HTTP server. It asks "reviews" by name and knows nothing of Istio.
import http from "node:http";

http
  .createServer(async (_, response) => {
    const answer = await fetch("http://reviews/");
    response.writeHead(answer.status).end(`the shop shows: ${await answer.text()}`);
  })
  .listen(8080);
