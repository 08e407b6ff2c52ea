/**
 * What teams glue together without a mesh, as the READMEs of the libraries show it, with the same limits. Each gets more than
 * they would have: the addresses of all backends, used in turn, another one for each attempt, and no try again of a POST without a key.
 */

import http from "node:http";
import {
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleAll,
  retry,
  TimeoutStrategy,
  timeout,
  wrap,
} from "cockatiel";
import CircuitBreaker from "opossum";
import { Agent, type Dispatcher, RetryAgent, request } from "undici";
import { type Client, type ClientReply, type ClientRequest, LIMITS } from "./client.js";

type Origins = readonly string[];

class Turn {
  #next = 0;
  readonly #origins: Origins;

  constructor(origins: Origins) {
    this.#origins = origins;
  }

  next(): string {
    return this.#origins[this.#next++ % this.#origins.length]!; // in range
  }
}

/** node:http with an Agent that keeps connections, which is the default of Node. */
export function agentClient(origins: Origins): Client {
  const turn = new Turn(origins);
  const agent = new http.Agent({ keepAlive: true });
  return {
    send: ({ path, method, headers, body }) =>
      new Promise<ClientReply>((resolve, reject) => {
        const signal = AbortSignal.timeout(LIMITS.allMs);
        const asked = http.request(`${turn.next()}${path}`, { method, headers, agent, signal }, (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (chunk: string) => {
            text += chunk;
          });
          response.on("error", reject).on("end", () => resolve({ status: response.statusCode ?? 0, text }));
        });
        asked.on("error", reject).end(body);
      }),
    async close() {
      agent.destroy();
    },
  };
}

/** One breaker around the call, the library's defaults but for the time. */
export function opossumClient(origins: Origins): Client {
  const turn = new Turn(origins);
  const agent = newAgent();
  const breaker = new CircuitBreaker((asked: ClientRequest) => once(turn.next(), asked, agent), {
    timeout: LIMITS.allMs,
  });
  return {
    send: (asked) => breaker.fire(asked),
    async close() {
      breaker.shutdown();
      await agent.destroy();
    },
  };
}

/** Retry over breaker over timeout. */
export function cockatielClient(origins: Origins): Client {
  const turn = new Turn(origins);
  const agent = newAgent();
  const breaker = circuitBreaker(handleAll, { halfOpenAfter: 1_000, breaker: new ConsecutiveBreaker(5) });
  const limit = timeout(LIMITS.attemptMs, TimeoutStrategy.Aggressive);
  const single = wrap(breaker, limit);
  const repeated = wrap(
    retry(handleAll, { maxAttempts: LIMITS.retries, backoff: new ExponentialBackoff() }),
    breaker,
    limit,
  );
  return {
    send: (asked) =>
      (asked.idempotent ? repeated : single).execute(({ signal }) => once(turn.next(), asked, agent, signal)),
    close: () => agent.destroy(),
  };
}

/** Its retries stay at the address of the request. */
export function retryAgentClient(origins: Origins): Client {
  const turn = new Turn(origins);
  const agent = new RetryAgent(newAgent(), { maxRetries: LIMITS.retries, minTimeout: 25 });
  return {
    send: (asked) => once(turn.next(), asked, agent as unknown as Dispatcher, AbortSignal.timeout(LIMITS.allMs)),
    close: () => agent.close(),
  };
}

function newAgent(): Agent {
  const { attemptMs, connectMs } = LIMITS;
  return new Agent({ headersTimeout: attemptMs, bodyTimeout: attemptMs, connect: { timeout: connectMs } });
}

/** @throws {Error} also of an answer of 500 and above, as callers of these libraries have to */
async function once(
  origin: string,
  { path, method, headers, body }: ClientRequest,
  dispatcher: Dispatcher,
  signal?: AbortSignal,
): Promise<ClientReply> {
  const { statusCode, body: answer } = await request(`${origin}${path}`, {
    dispatcher,
    method,
    headers: { ...headers },
    ...(body !== undefined && { body }),
    ...(signal && { signal }),
  });
  const text = await answer.text();
  if (statusCode >= 500) throw new Error(`status ${statusCode}`);
  return { status: statusCode, text };
}
