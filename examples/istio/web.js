// An ordinary HTTP server. It asks "reviews" by name and knows nothing of Istio.
import http from "node:http";

const server = http.createServer(async (_, response) => {
  try {
    const answer = await fetch("http://reviews/");
    response.writeHead(answer.status).end(`the shop shows: ${await answer.text()}`);
  } catch (error) {
    response.writeHead(503).end(`nobody shows reviews: ${error.cause ?? error}`);
  }
});
server.listen(Number(process.env.PORT ?? 8080), () => console.log(`web listens on ${server.address().port}`));
