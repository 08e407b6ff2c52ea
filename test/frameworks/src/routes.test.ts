/** The pattern of the route that served a request, by real frameworks: where it is known, spans, metrics and commands name it. */

import { afterAll, expect, it } from "vitest";
import { until } from "../../../packages/node/test/until.js";
import { AppProcess } from "./app-process.js";
import { ask } from "./ask.js";
import { serviceName } from "./frameworks.js";
import { Registry } from "./registry.js";

const registry = new Registry();
afterAll(() => registry[Symbol.dispose]());

interface Outcome {
  readonly direction: string;
  readonly path: string;
  readonly status: number;
  readonly httpRoute: string;
}

it.each([
  ["Express 4", "/users/:id"],
  ["Express 5", "/users/:id"],
  ["Fastify 5", "/users/:id"],
  ["Koa", "/users/:id"],
  ["Hono", "/users/:id"],
  ["NestJS on Express", "/users/:id"],
  ["NestJS on Fastify", "/users/:id"],
])("%s", async (framework, pattern) => {
  const service = serviceName(framework);
  await using app = new AppProcess({ registry, service, program: ["routed.mjs", framework] });
  const port = await app.port();
  expect((await ask("http", port, "/users/42")).text).toBe("42");
  expect((await ask("http", port, "/nowhere/42")).status).toBe(404);
  const refused = framework === "Fastify 5";
  if (refused) expect((await ask("http", port, "/refused/42")).status).toBe(401);
  const admin = await until(() => registry.leases(service)[0]?.admin);
  const all = await until(async () => {
    const { outcomes } = (await (await fetch(`${admin}/outcomes`)).json()) as { outcomes: readonly Outcome[] };
    const inbound = outcomes.filter(({ direction }) => direction === "inbound");
    return inbound.length >= (refused ? 3 : 2) && inbound;
  });
  const routes = Object.fromEntries(all.map(({ path, httpRoute }) => [path, httpRoute]));
  expect(routes).toEqual({
    "/users/42": pattern,
    "/nowhere/42": "",
    ...(refused && { "/refused/42": "/refused/:id" }),
  });
  expect(app.errors).toBe("");
});
