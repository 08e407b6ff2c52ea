/**
 * Shoppers at a steady rate, with another client for each request, as grown code does: pages, orders, and a few who
 * walk away in the middle. Order numbers come again, because the shelf remembers each. Argument: requests per second.
 */

import { get } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { request } from "undici";
import type { Counts, FromProbe } from "./messages.js";

const perSecond = Number(process.argv[2]);
const ORDERS = 1_000;
const REASON = "x-inmesh-error";
/** More than this many open requests and new ones wait: the machine is out of breath. */
const MOST_OPEN = 200;

const counts = { sent: 0, answered: 0, aborted: 0, failures: [] as string[] };
let running = true;
let open = 0;

process.on("message", (message: { type: string }) => {
  if (message.type === "stop") running = false;
});

const startedAt = performance.now();
while (running) {
  const due = ((performance.now() - startedAt) / 1_000) * perSecond;
  while (counts.sent < due && open < MOST_OPEN) void shop(counts.sent++);
  await delay(10);
}
while (open > 0) await delay(10);
const said: FromProbe = { type: "counts", ...(counts satisfies Counts) };
process.send?.(said);

async function shop(number: number): Promise<void> {
  open += 1;
  try {
    const answer = await ask(number);
    if (answer === "aborted") counts.aborted += 1;
    else if (answer.status === 200 || answer.status === 201) counts.answered += 1;
    else fail(`request ${number % 10}: status ${answer.status} ${answer.reason ?? ""}`);
  } catch (error) {
    fail(`${(error as Error).message} ${String((error as Error).cause ?? "")}`);
  } finally {
    open -= 1;
  }
}

function fail(what: string): void {
  counts.failures.push(`${Math.round((performance.now() - startedAt) / 1_000)} s: ${what}`);
}

interface Answer {
  readonly status: number;
  /** The mesh's, where the answer is one of its own. */
  readonly reason: string | null | undefined;
}

function answerOf({ status, headers }: Response): Answer {
  return { status, reason: headers.get(REASON) };
}

async function ask(number: number): Promise<Answer | "aborted"> {
  const page = `http://web/books/${number % 7}`;
  switch (number % 10) {
    case 0: {
      const body = JSON.stringify({ orderId: `order-${number % ORDERS}`, book: 1 });
      const reply = await fetch("http://web/orders", {
        method: "POST",
        body,
        headers: { "content-type": "application/json" },
      });
      await reply.text();
      return answerOf(reply);
    }
    case 1:
      return walkAway(page);
    case 2:
    case 3:
    case 4: {
      const { statusCode: status, body, headers } = await request(page);
      await body.text();
      return { status, reason: headers[REASON]?.toString() };
    }
    case 5:
    case 6:
      return new Promise((resolve, reject) => {
        get(page, (response) => {
          response.on("error", reject).resume();
          const { statusCode: status = 0, headers } = response;
          response.on("end", () => resolve({ status, reason: headers[REASON]?.toString() }));
        }).on("error", reject);
      });
    default: {
      const reply = await fetch(page);
      await reply.text();
      return answerOf(reply);
    }
  }
}

/** Reviews that take long, and nobody who waits for them. */
async function walkAway(page: string): Promise<Answer | "aborted"> {
  const abort = new AbortController();
  const left = delay(20).then(() => abort.abort());
  try {
    return answerOf(await fetch(`${page}?delay=300`, { signal: abort.signal }));
  } catch (error) {
    if (abort.signal.aborted) return "aborted";
    throw error;
  } finally {
    await left;
  }
}
