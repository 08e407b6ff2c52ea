/**
 * Shoppers. Keeps a steady stream of requests flowing to http://web/ whether or not they are answered (an open loop), and
 * writes one line per request to BOOKSHOP_LOG: every figure of the story is counted from that file and nothing else.
 *
 * Told what to do over HTTP on its PORT:
 *   POST /phase {"name","perSecond","postShare","delayMs"} → the phase before has ended and is wholly in the log
 *   POST /note  {…}                                        → a line of its own in the log
 */

import { openSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { Agent, request } from "undici";
import { Journals } from "./journals.js";

const SHOPPERS = ["maria", ...Array.from({ length: 19 }, (_, n) => `shopper${n + 1}`)];
const TICK_MS = 10;
/** More than this many open requests and new ones are not sent: the machine is out of breath, and the log says so. */
const MAX_OPEN = 2_000;
/** After a request's end the services have noted everything about it within this time. */
const SETTLE_MS = 250;
const PHASE_ENDS_WITHIN_MS = 15_000;

const log = openSync(process.env.BOOKSHOP_LOG, "a", 0o600);
const journals = new Journals(process.env.BOOKSHOP_JOURNAL);
const dispatcher = new Agent();

/** @typedef {{ name: string, perSecond: number, postShare: number, delayMs: number, open: number, sent: number }} Phase */
/** @type {Phase} */
let phase = { name: "idle", perSecond: 0, postShare: 0, delayMs: 0, open: 0, sent: 0 };
let open = 0;
let due = 0;
let count = 0;
let lastTick = performance.now();
/** Ended requests on their way to the log. */
const ended = [];

setInterval(() => {
  const now = performance.now();
  due += (phase.perSecond * Math.min(now - lastTick, 1_000)) / 1_000;
  lastTick = now;
  for (; due >= 1; due -= 1) {
    if (open < MAX_OPEN) void shop(phase);
    else writeLine({ t: Date.now(), phase: phase.name, skipped: true });
  }
}, TICK_MS);

setInterval(() => settle(), 100);

/** One request, and its line. @param {Phase} of */
async function shop(of) {
  const number = count++;
  const post = number % 10 < of.postShare * 10; // exact shares, spread evenly
  const id = `${process.pid}-${number}`;
  const user = SHOPPERS[Math.floor(number / 10) % SHOPPERS.length];
  const path = post ? `/orders?delay=${of.delayMs}` : `/books/${number % 7}?delay=${of.delayMs}`;
  const line = { t: Date.now(), phase: of.name, id, method: post ? "POST" : "GET", path, user };
  open += 1;
  of.open += 1;
  of.sent += 1;
  const startedAt = performance.now();
  const answer = { status: 0, version: "", error: "" };
  try {
    const headers = { "x-request-id": id, "x-user": user, ...(post && { "content-type": "application/json" }) };
    const body = post ? JSON.stringify({ orderId: id, book: number % 7 }) : undefined;
    const reply = await request(`http://web${path}`, { dispatcher, method: line.method, headers, body });
    const text = await reply.body.text();
    answer.status = reply.statusCode;
    answer.version = reply.headers["x-reviews-version"] ?? "";
    if (answer.status >= 400) answer.error = reason(reply.headers["x-inmesh-error"], text);
  } catch (error) {
    answer.error = `${error.code ?? error.name}: ${error.message}`;
  }
  const ms = Math.round((performance.now() - startedAt) * 100) / 100;
  open -= 1;
  of.open -= 1;
  ended.push({ endedAt: performance.now(), line: { ...line, ...answer, ms } });
}

function reason(code, text) {
  try {
    return JSON.parse(text).error ?? text;
  } catch {
    return code ? `${code}: ${text.trim()}` : text.trim();
  }
}

/** Writes what ended long enough ago, with what the services saw of it. */
function settle() {
  const until = performance.now() - SETTLE_MS;
  if (!(ended[0]?.endedAt <= until)) return;
  journals.read();
  const first = ended.findIndex(({ endedAt }) => endedAt > until);
  const settled = ended.splice(0, first < 0 ? ended.length : first);
  for (const { line } of settled) writeLine({ ...line, ...journals.take(line.id) });
}

function writeLine(line) {
  writeSync(log, `${JSON.stringify(line)}\n`);
}

/** Starts the next phase at once and answers when the one before is over. */
async function enter({ name, perSecond, postShare = 0, delayMs = 0 }) {
  const before = phase;
  phase = { name, perSecond, postShare, delayMs, open: 0, sent: 0 };
  const giveUpAt = performance.now() + PHASE_ENDS_WITHIN_MS;
  while (before.open > 0 && performance.now() < giveUpAt) await wait(20);
  while (ended.some(({ line }) => line.phase === before.name)) {
    await wait(50);
    settle();
  }
  return { phase: before.name, requests: before.sent, open: before.open };
}

const control = createServer(async (req, res) => {
  try {
    let text = "";
    for await (const piece of req) text += piece;
    const told = JSON.parse(text);
    const result = req.url === "/phase" ? await enter(told) : writeLine({ t: Date.now(), ...told });
    res.setHeader("content-type", "application/json");
    res.end(JSON.stringify(result ?? {}));
  } catch (error) {
    res.statusCode = 400;
    res.end(String(error));
  }
});

control.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => {
  console.log(`load takes orders on port ${control.address().port}`);
});
