/** Every kind of server, loaded by the process that runs it. */

import type { ServerKind, ServerName } from "./server-kind.js";

export const SERVERS: Readonly<Record<ServerName, () => Promise<ServerKind>>> = {
  http: async () => (await import("./node-http.js")).nodeHttp,
  express4: async () => (await import("./express.js")).expressFour,
  express5: async () => (await import("./express.js")).expressFive,
  fastify: async () => (await import("./fastify.js")).fastifyFive,
  koa: async () => (await import("./koa.js")).koa,
  hono: async () => (await import("./hono.js")).hono,
  nest: async () => (await import("./nest.js")).nest,
  handler: async () => (await import("./explicit.js")).handler,
  attach: async () => (await import("./explicit.js")).attach,
  "express-plugin": async () => (await import("./explicit.js")).expressPlugin,
  "fastify-plugin": async () => (await import("./explicit.js")).fastifyPlugin,
};
