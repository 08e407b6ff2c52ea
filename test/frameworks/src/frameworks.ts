/** What fixtures/app.mjs can be, and what a lease says of it. */

import type { Protocol } from "./ask.js";

export const FRAMEWORKS: readonly (readonly [name: string, port: string, protocol: Protocol])[] = [
  ["http", "http", "http"],
  ["https", "https", "https"],
  ["http2", "http2", "http2"],
  ["http2 streams", "http2", "http2"],
  ["http2 over TLS", "https", "h2 over TLS"],
  ["Express 4", "http", "http"],
  ["Express 5", "http", "http"],
  ["Fastify 5", "http", "http"],
  ["Fastify 5, http2", "http2", "http2"],
  ["Koa", "http", "http"],
  ["Hono", "http", "http"],
  ["NestJS on Express", "http", "http"],
  ["NestJS on Fastify", "http", "http"],
];

/** As a DNS label. */
export function serviceName(framework: string): string {
  return framework.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
}
