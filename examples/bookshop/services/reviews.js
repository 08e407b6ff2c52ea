/**
 * What readers think: Fastify 5. One program, three versions by REVIEWS_VERSION: v2 adds the stars it asks `ratings` for, v3
 * paints them red.
 * PUT /_fail?share=0.3 makes this instance answer that share of its reviews with 503, as a bad release would.
 */

import { setTimeout as wait } from "node:timers/promises";
import fastify from "fastify";
import { createJournal } from "./journal.js";

const version = process.env.REVIEWS_VERSION ?? "v1";
const journal = createJournal("reviews", version);
const app = fastify();
let failing = 0;

app.addHook("onRequest", async (request, reply) => journal.watch(request.raw, reply.raw));

app.put("/_fail", async (request) => {
  failing = Number(request.query.share ?? 0);
  return { failing };
});

app.get("/reviews/:id", async (request, reply) => {
  await wait(Number(request.query.delay ?? 0));
  if (Math.random() < failing) return reply.code(503).send({ error: `reviews ${version} is unwell` });
  const { id } = request.params;
  const review = { id, version, text: "An unputdownable book.", by: "reader one" };
  if (version === "v1") return review;
  const headers = {};
  for (const name of ["x-request-id", "x-user"]) {
    if (request.headers[name] !== undefined) headers[name] = request.headers[name];
  }
  const response = await fetch(`http://ratings/ratings/${id}`, { headers });
  if (!response.ok) return reply.code(502).send({ error: `ratings answered ${response.status}` });
  return { ...review, stars: (await response.json()).stars, colour: version === "v2" ? "black" : "red" };
});

const address = await app.listen({ port: Number(process.env.PORT ?? 9080), host: "127.0.0.1" });
console.log(`reviews ${version} listens on ${address}`);
