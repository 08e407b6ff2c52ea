// Every tenth review cannot be read.
import http from "node:http";

let asked = 0;
http
  .createServer((_, response) => {
    asked += 1;
    response.writeHead(asked % 10 === 0 ? 500 : 200).end(`reviews ${process.env.VERSION}`);
  })
  .listen(0, "127.0.0.1");
