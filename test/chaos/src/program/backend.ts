/**
 * A service as teams write them, under the mesh by `--import`: it carries out one piece of work per request, and writes into its
 * own log what arrived (`R id`), what it carried out (`X id`) and what it answered badly (`F id`), at once, so that a kill -9 takes no line with it. How it goes
 * wrong, the request says (header `x-chaos`) or a message of the chaos.
 */

import { openSync, writeSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Fault, FromBackend, ToBackend } from "../messages.js";
import { FAULT_HEADER } from "./fault-header.js";
import { LatenessWatch } from "./lateness.js";
import { Workshop } from "./workshop.js";

const { CHAOS_LOG = "", CHAOS_NUMBER = "0", CHAOS_WORK = "{}" } = process.env;
const log = openSync(CHAOS_LOG, "a");
const number = Number(CHAOS_NUMBER);
const workshop = new Workshop(JSON.parse(CHAOS_WORK));
/** One byte of an answer that is sent byte by byte, in ms. */
const SLOW_BYTE_MS = 400;
const STALL_MS = 300;

const watch = new LatenessWatch();

let connections = 0;
let served = false;
let gone = false;
let drawn = number + 1;

const server = createServer((request, response) => {
  void serve(request, response).catch((error: Error) => {
    if (error.name !== "AbortError") throw error;
  });
});
server.on("connection", (socket: Socket) => {
  connections += 1;
  if (!served) watch.take(); // what came before is its start: code is loaded, and nobody waits yet
  served = true;
  if (gone) socket.resetAndDestroy();
});
server.listen(0, "127.0.0.1", () => {
  watch.take();
  const said: FromBackend = { type: "listening", port: (server.address() as AddressInfo).port };
  process.send?.(said);
});

process.on("message", (message: ToBackend) => {
  if (message.type === "half-open") gone = true;
  else if (message.type === "forget") workshop.forget();
  else if (message.type === "lateness") tellLateness();
  else workshop.workMs = message.ms;
});
process.on("disconnect", () => process.exit(1)); // the chaos is gone
(process as unknown as { channel?: { unref(): void } }).channel?.unref();

function tellLateness(): void {
  const said: FromBackend = { type: "lateness", connections, ...watch.take() };
  connections = 0;
  process.send?.(said);
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (gone) return; // it never even reads it
  const { pathname, searchParams } = new URL(request.url!, "http://backend"); // of a server's request
  const id = pathname.slice(1);
  writeSync(log, `R ${id}\n`);
  request.resume();
  const fault = drawFault(request.headers[FAULT_HEADER]);
  if (fault !== undefined) writeSync(log, `F ${id}\n`);
  if (fault === "error") {
    response.writeHead(503).end(`no luck ${id}`);
    return;
  }
  if (fault === "stall") standStill(STALL_MS);
  await workshop.work(searchParams.get("thing") ?? undefined, () => !response.destroyed);
  writeSync(log, `X ${id}\n`);
  if (gone) return;
  const body = `done ${id}`;
  const head = { "content-length": body.length };
  if (fault === "reset-after-headers") {
    response.writeHead(200, head).write(body.slice(0, 4));
    await delay(20); // so that they are out
    response.socket?.resetAndDestroy();
  } else if (fault === "slow-body") {
    response.writeHead(200, head);
    await byteByByte(body, response, (byte) => response.write(byte));
    response.end();
  } else if (fault === "slow-head") {
    const text = `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    await byteByByte(text, response, (byte) => response.socket?.write(byte));
    response.socket?.destroy(); // not a server's way to answer, so it may not serve another one
  } else response.writeHead(200, head).end(body);
}

async function byteByByte(text: string, response: ServerResponse, write: (byte: string) => void): Promise<void> {
  for (const byte of text) {
    if (response.destroyed) return;
    write(byte);
    await delay(SLOW_BYTE_MS);
  }
}

function drawFault(header: string | string[] | undefined): Fault["kind"] | undefined {
  if (typeof header !== "string") return undefined;
  const { kind, ratio, at } = JSON.parse(header) as Fault;
  if (at !== undefined && at !== number) return undefined;
  return draw() < ratio ? kind : undefined;
}

/** The same draws in every run: mulberry32. */
function draw(): number {
  drawn = (drawn + 0x6d2b79f5) | 0;
  let mixed = Math.imul(drawn ^ (drawn >>> 15), 1 | drawn);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}

function standStill(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}
