import fastify, { type FastifyInstance } from "fastify";
import type { Behaviour, ServerKind } from "./server-kind.js";

export const fastifyFive: ServerKind = {
  name: "Fastify 5",
  lacks: {},
  async listen(behave) {
    const app = fastify({ forceCloseConnections: true });
    fastifyRoutes(app, behave);
    await app.listen({ port: 0, host: "127.0.0.1" });
    return app.server;
  },
};

export function fastifyRoutes(app: FastifyInstance, behave: Behaviour): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
  app.all("/*", async (request, reply) => {
    const raw = { request: request.raw, response: reply.raw, body: request.raw };
    const { status, headers, body, trailers = {} } = await behave(raw);
    reply.code(status).headers(headers);
    for (const [name, value] of Object.entries(trailers)) reply.trailer(name, async () => value);
    return reply.send(body);
  });
}
