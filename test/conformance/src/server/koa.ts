import { once } from "node:events";
import Koa from "koa";
import type { ServerKind } from "./server-kind.js";

export const koa: ServerKind = {
  name: "Koa 3",
  lacks: {},
  async listen(behave) {
    const app = new Koa();
    app.silent = true; // it prints each answer that broke off
    app.use(async (context) => {
      const { status, headers, body, trailers } = await behave({
        request: context.req,
        response: context.res,
        body: context.req,
      });
      context.body = body ?? null;
      context.status = status;
      context.set({ ...headers });
      if (trailers !== undefined) context.res.addTrailers(trailers);
    });
    const server = app.listen(0, "127.0.0.1");
    await once(server, "listening");
    return server;
  },
};
