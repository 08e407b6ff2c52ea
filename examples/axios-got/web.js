// Asks the same service with axios and with got, neither of which retries here.
import http from "node:http";
import axios from "axios";
import got from "got";

http
  .createServer(async (_, response) => {
    try {
      const one = await axios.get("http://stock/axios");
      const two = await got("http://stock/got", { retry: { limit: 0 } }).text();
      response.end(`${one.data}, ${two}`);
    } catch (error) {
      response.writeHead(502).end(error.message);
    }
  })
  .listen(Number(process.env.WEB_PORT ?? 8080), "127.0.0.1");
