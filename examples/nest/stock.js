// Any HTTP server, on any free port.
import http from "node:http";

http.createServer((request, response) => response.end(`${request.url.slice(1)}: in stock`)).listen(0, "127.0.0.1");
