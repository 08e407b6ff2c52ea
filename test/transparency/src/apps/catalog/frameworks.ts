/** What the starters of these frameworks make, with a route that calls another service added. */

import type { App } from "../app.js";

const HOST = "127.0.0.1";

const NEXT_PAGE = `
export const dynamic = "force-dynamic";
export default async function Page() {
  const review = await (await fetch(process.env.UPSTREAM + "/api/reviews/42")).json();
  return <main id="page">stars: {review.stars}</main>;
}
`;
const NEXT_ROUTE = `
export async function GET(request) {
  return Response.json({ hello: new URL(request.url).searchParams.get("name") });
}
export async function POST(request) {
  return Response.json({ got: await request.json() }, { status: 201, headers: { "x-made": "here" } });
}
`;

export const next: App = {
  name: "Next.js",
  packages: ["next@15.5.29", "react@19.2.9", "react-dom@19.2.9"],
  files: ({ upstream }) => ({
    "package.json": JSON.stringify({ private: true, type: "module" }),
    "next.config.mjs": `export default {
      rewrites: async () => [{ source: "/passed/:path*", destination: "${upstream}/:path*" }],
      outputFileTracingRoot: import.meta.dirname,
      experimental: { cpus: 1 },
    };`,
    "app/layout.jsx": "export default ({ children }) => <html lang='en'><body>{children}</body></html>;",
    "app/page.jsx": NEXT_PAGE,
    "app/api/hello/route.js": NEXT_ROUTE,
    "public/robots.txt": "none",
  }),
  prepare: () => ["next/dist/bin/next", "build"],
  start: ({ port }) => ["next/dist/bin/next", "start", "-H", HOST, "-p", String(port)],
  ready: "/robots.txt",
  use: async (client) => {
    const page = await client.ask("/");
    const script = /src="(\/_next\/static\/[^"]+\.js)"/.exec(page.body)?.[1] ?? "/none";
    const missing = await client.ask("/nowhere");
    return [
      { ...page, body: /<main id="page">.*?<\/main>/.exec(page.body)?.[0] },
      await client.ask("/api/hello?name=me"),
      await client.ask("/api/hello", { method: "POST", body: { a: 1 } }),
      await client.ask("/robots.txt"),
      await client.ask("/passed/api/reviews/7"),
      [missing.status, (await client.ask(script)).status],
    ];
  },
};

const NEST_MAIN = `
require("reflect-metadata");
const { Body, Controller, Get, HttpException, Injectable, Module, Param, Post } = require("@nestjs/common");
const { NestFactory } = require("@nestjs/core");

class AppService {
  getHello() { return "Hello World!"; }
  async getReview(id) { return (await fetch(process.env.UPSTREAM + "/api/reviews/" + id)).json(); }
}
Injectable()(AppService);

class AppController {
  constructor(service) { this.service = service; }
  getHello() { return this.service.getHello(); }
  getReview(id) { return this.service.getReview(id); }
  echo(body) { return { got: body }; }
  fail() { throw new HttpException("short and stout", 418); }
}
const on = (method, ...decorators) => {
  const descriptor = Object.getOwnPropertyDescriptor(AppController.prototype, method);
  for (const decorate of decorators) decorate(AppController.prototype, method, descriptor);
};
on("getHello", Get());
on("getReview", Get("reviews/:id"));
on("echo", Post("echo"));
on("fail", Get("teapot"));
Param("id")(AppController.prototype, "getReview", 0);
Body()(AppController.prototype, "echo", 0);
Reflect.defineMetadata("design:paramtypes", [AppService], AppController);
Controller()(AppController);

class AppModule {}
Module({ imports: [], controllers: [AppController], providers: [AppService] })(AppModule);

NestFactory.create(AppModule).then((app) => app.listen(process.env.PORT, "${HOST}"));
`;

export const nest: App = {
  name: "Nest",
  packages: [
    ...["@nestjs/core@11.2.10", "@nestjs/common@11.2.10", "@nestjs/platform-express@11.2.10"],
    ...["reflect-metadata@0.2.2", "rxjs@7.8.2"],
  ],
  files: () => ({ "main.cjs": NEST_MAIN }),
  start: () => ["./main.cjs"],
  use: async (client) => [
    await client.ask("/"),
    await client.ask("/reviews/42"),
    await client.ask("/echo", { method: "POST", body: { a: [1, 2] } }),
    await client.ask("/echo", { method: "POST", headers: { "content-type": "application/json" }, body: "{" }),
    await client.ask("/teapot"),
    await client.ask("/nowhere"),
  ],
};

const FASTIFY_APP = `
const http = require("node:http");
const get = (url) => new Promise((resolve, reject) => {
  http.get(url, (response) => resolve(response)).on("error", reject);
});
module.exports = async (fastify, options) => {
  fastify.get("/", async () => ({ root: true }));
  fastify.get("/reviews/:id", async (request, reply) => {
    const response = await get(process.env.UPSTREAM + "/api/reviews/" + request.params.id);
    return reply.code(response.statusCode).type(response.headers["content-type"]).send(response);
  });
  const schema = { body: { type: "object", required: ["a"], properties: { a: { type: "integer" } } } };
  fastify.post("/echo", { schema }, async (request) => ({ got: request.body }));
};
`;

export const fastifyCli: App = {
  name: "fastify-cli",
  packages: ["fastify-cli@7.4.1", "fastify@5.12.8"],
  files: () => ({ "app.cjs": FASTIFY_APP }),
  start: ({ port }) => ["fastify-cli/cli.js", "start", "-a", HOST, "-p", String(port), "app.cjs"],
  use: async (client) => [
    await client.ask("/"),
    await client.ask("/reviews/42"),
    await client.ask("/echo", { method: "POST", body: { a: 1 } }),
    await client.ask("/echo", { method: "POST", body: {} }),
    await client.ask("/nowhere"),
  ],
};
