// Any HTTP server, on any free port.
import http from "node:http";

http.createServer((_, response) => response.end(`reviews ${process.env.VERSION}`)).listen(0, "127.0.0.1");
