/** What teams glue together by hand today, as the READMEs of the libraries show, beside the same bare undici. */

import { registerInstrumentations } from "@opentelemetry/instrumentation";
import { UndiciInstrumentation } from "@opentelemetry/instrumentation-undici";
import { AlwaysOffSampler, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
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
import pRetry from "p-retry";
import { Agent, DecoratorHandler, type Dispatcher, RetryAgent, request } from "undici";
import { concurrently } from "../lib/paired.js";
import { requests } from "./mesh-cases.js";
import { HEADERS, PATH, type RequestCase, type RunningCase, WIDTH } from "./request-case.js";

export const RIVAL_CASES: Readonly<Record<string, RequestCase>> = {
  interceptor: {
    name: "an interceptor of undici's that does nothing",
    start: ({ port }) => beside(`http://127.0.0.1:${port}`, "compose, DecoratorHandler", interceptor()),
  },
  "retry-agent": {
    name: "undici RetryAgent",
    start: ({ port }) => beside(`http://127.0.0.1:${port}`, "undici RetryAgent", retryAgent()),
  },
  cockatiel: { name: "cockatiel: retry, breaker, timeout", start: ({ port }) => cockatiel(`http://127.0.0.1:${port}`) },
  glued: { name: "opossum + p-retry + OpenTelemetry, by hand", start: ({ port }) => glued(`http://127.0.0.1:${port}`) },
};

/** What it takes to stand between a caller and undici at all, in the way that undici offers. */
function interceptor(): Dispatcher {
  return new Agent({ connections: WIDTH }).compose(
    (dispatch) => (options, handler) => dispatch(options, new DecoratorHandler(handler)),
  );
}

function retryAgent(): Dispatcher {
  return new RetryAgent(new Agent({ connections: WIDTH })) as unknown as Dispatcher;
}

function beside(origin: string, name: string, dispatcher: Dispatcher): RunningCase {
  const agent = new Agent({ connections: WIDTH });
  return {
    baseline: { name: "bare undici, dispatcher.request", run: requests(agent, origin) },
    candidate: { name, run: requests(dispatcher, origin) },
    async close() {
      await dispatcher.close();
      await agent.close();
    },
  };
}

function cockatiel(origin: string): RunningCase {
  const agent = new Agent({ connections: WIDTH });
  const policy = wrap(
    retry(handleAll, { maxAttempts: 2, backoff: new ExponentialBackoff() }),
    circuitBreaker(handleAll, { halfOpenAfter: 10_000, breaker: new ConsecutiveBreaker(5) }),
    timeout(3_000, TimeoutStrategy.Aggressive),
  );
  const url = `${origin}${PATH}`;
  return byUrl(agent, url, (count) =>
    concurrently(count, WIDTH, () => policy.execute(({ signal }) => fetchOnce(url, agent, signal))),
  );
}

/** The instrumentation listens process-wide, so it is on only while the candidate runs. */
function glued(origin: string): RunningCase {
  const agent = new Agent({ connections: WIDTH });
  const provider = new NodeTracerProvider({ sampler: new AlwaysOffSampler() });
  provider.register();
  const instrumentation = new UndiciInstrumentation();
  registerInstrumentations({ instrumentations: [instrumentation] });
  instrumentation.disable();
  const url = `${origin}${PATH}`;
  const breaker = new CircuitBreaker(() => fetchOnce(url, agent));
  return byUrl(agent, url, async (count) => {
    instrumentation.enable();
    await concurrently(count, WIDTH, () => pRetry(() => breaker.fire(), { retries: 2 }));
    instrumentation.disable();
  });
}

/** Both sides call `request(url)`, which costs more than `dispatcher.request`: like is compared with like. */
function byUrl(agent: Agent, url: string, run: (count: number) => Promise<void>): RunningCase {
  return {
    baseline: {
      name: "bare undici, request(url)",
      run: (count) => concurrently(count, WIDTH, () => fetchOnce(url, agent)),
    },
    candidate: { name: "by hand", run },
    close: () => agent.close(),
  };
}

async function fetchOnce(url: string, dispatcher: Dispatcher, signal?: AbortSignal): Promise<void> {
  const { statusCode, body } = await request(url, { dispatcher, headers: HEADERS, ...(signal && { signal }) });
  if (statusCode >= 500) throw new Error(`answered ${statusCode}`);
  await body.arrayBuffer();
}
