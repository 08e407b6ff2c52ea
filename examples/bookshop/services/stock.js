/**
 * What is on the shelf, and orders: Fastify 5. An order is executed half-way through its delay, so that a kill can hit it
 * before and after; the answer says how often this order has been executed by this instance.
 */

import { setTimeout as wait } from "node:timers/promises";
import fastify from "fastify";
import { createJournal } from "./journal.js";

const journal = createJournal("stock");
const app = fastify();
const executions = new Map();

app.addHook("onRequest", async (request, reply) => journal.watch(request.raw, reply.raw));

app.get("/stock/:id", async (request) => ({ id: request.params.id, inStock: 3 }));

app.post("/orders", async (request, reply) => {
  const { orderId } = request.body;
  const delay = Number(request.query.delay ?? 0);
  await wait(delay / 2);
  const times = (executions.get(orderId) ?? 0) + 1;
  executions.set(orderId, times);
  journal.note(orderId, "executed");
  await wait(delay / 2);
  return reply.code(201).send({ orderId, executions: times });
});

const address = await app.listen({ port: Number(process.env.PORT ?? 9083), host: "127.0.0.1" });
console.log(`stock listens on ${address}`);
