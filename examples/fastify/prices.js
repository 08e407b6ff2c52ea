// Knows the price of every book at once, but for one over which it thinks for a minute.
import http from "node:http";

http
  .createServer((request, response) => {
    if (request.url === "/slow") setTimeout(() => response.end("too late"), 60_000).unref();
    else response.end("12 euros");
  })
  .listen(0, "127.0.0.1");
