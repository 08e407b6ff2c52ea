// Fails every other request.
import http from "node:http";

let asked = 0;

http
  .createServer((request, response) => {
    asked += 1;
    if (asked % 2 === 1) response.writeHead(503).end("not now");
    else response.end(`${request.url.slice(1)}: in stock`);
  })
  .listen(0, "127.0.0.1");
