import http from "node:http";

http
  .createServer((_request, response) => response.end(`reviews ${process.env.INMESH_VERSION}`))
  .listen(Number(process.env.PORT), process.env.HOST);
