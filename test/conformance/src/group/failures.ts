import { type Group, REFUSING_PORT, rules } from "../scenario.js";
import { times } from "../trial.js";

export const refused: Group = {
  name: "refused",
  about: "an endpoint that refuses connections, beside one that does not",
  ofCallers: true,
  endpoints: ({ v1 }) => [
    { port: REFUSING_PORT, version: "v2" },
    { port: v1, version: "v1" },
  ],
  policy: (host) =>
    rules(
      host,
      `
- match: [{ uri: { prefix: /dead } }]
  retries: { attempts: 1, retryOn: connect-failure, backoff: 2ms }
  route: [{ destination: { host: ${host}, subset: v2 } }]
- retries: { attempts: 2, retryOn: connect-failure, backoff: 2ms }
  route: [{ destination: { host: ${host} } }]
`,
    ),
  scenarios: [
    {
      name: "GET goes to the other one",
      run: async (trial) => new Set((await times(6, () => trial.ask("/echo"))).map(({ status }) => status)).size === 1,
      expected: true,
    },
    {
      name: "so does POST, of which nothing was sent",
      needs: ["body"],
      async run(trial) {
        const answers = await times(6, () => trial.ask("/echo", { method: "POST", body: "once" }));
        const statuses = [...new Set(answers.map(({ status }) => status))];
        return { statuses, arrived: (await trial.seen()).arrived };
      },
      expected: { statuses: [200], arrived: 6 },
    },
    {
      name: "nobody else is there",
      needs: ["answers"],
      async run(trial) {
        const { status, headers } = await trial.ask("/dead/echo");
        return { status, error: headers["x-inmesh-error"], type: headers["content-type"] };
      },
      expected: { status: 503, error: "CONNECT_FAILED", type: "text/plain" },
    },
  ],
};

export const faults: Group = {
  name: "faults",
  about: "faults injected by policy",
  ofCallers: true,
  endpoints: ({ v1 }) => [{ port: v1, version: "v1" }],
  policy: (host) =>
    rules(
      host,
      `
- match: [{ uri: { prefix: /abort } }]
  fault: { abort: { percentage: { value: 100 }, httpStatus: 429 } }
  route: [{ destination: { host: ${host} } }]
- match: [{ headers: { x-late: { exact: "1" } } }]
  fault: { delay: { percentage: { value: 100 }, fixedDelay: 200ms } }
  timeout: 5s
  route: [{ destination: { host: ${host} } }]
- match: [{ uri: { prefix: /spared } }]
  fault: { abort: { percentage: { value: 0 }, httpStatus: 500 }, delay: { percentage: { value: 0 }, fixedDelay: 60s } }
  route: [{ destination: { host: ${host} } }]
- fault: { delay: { percentage: { value: 100 }, fixedDelay: 60s } }
  route: [{ destination: { host: ${host} } }]
`,
    ),
  scenarios: [
    {
      name: "an abort",
      needs: ["answers"],
      async run(trial) {
        const { status, text, headers } = await trial.ask("/abort/echo");
        return {
          status,
          text: text.split("\n")[0] ?? "",
          error: headers["x-inmesh-error"],
          arrived: (await trial.seen()).arrived,
        };
      },
      expected: { status: 429, text: "fault filter abort", error: "FAULT_ABORTED", arrived: 0 },
    },
    {
      name: "a delay",
      waits: true,
      async run(trial) {
        const startedAt = performance.now();
        const { status } = await trial.ask("/echo", { headers: { "x-late": "1" } });
        return { status, late: performance.now() - startedAt >= 199 };
      },
      expected: { status: 200, late: true },
    },
    {
      name: "none at 0 percent",
      run: async (trial) => (await trial.ask("/spared/echo")).status,
      expected: 200,
    },
    {
      name: "a caller that gives up during a delay",
      waits: true,
      async run(trial) {
        const abort = new AbortController();
        const call = trial.ask("/echo", { signal: abort.signal });
        setTimeout(() => abort.abort(), 60);
        const ended = await trial.ending(call);
        return { ended, arrived: (await trial.seen()).arrived };
      },
      expected: { ended: "rejected", arrived: 0 },
    },
  ],
};
