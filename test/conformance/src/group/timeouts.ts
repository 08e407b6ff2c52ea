import { first, type Group, rules } from "../scenario.js";

export const timeouts: Group = {
  name: "timeouts",
  about: "limits of a call and of one attempt",
  ofCallers: true,
  endpoints: first,
  policy: (host) =>
    rules(
      host,
      `
- match: [{ uri: { prefix: /try } }]
  retries: { attempts: 1, perTryTimeout: 1500ms, retryOn: "5xx,reset", backoff: 2ms }
  route: [{ destination: { host: ${host} } }]
- match: [{ uri: { prefix: /never } }]
  retries: { attempts: 1, perTryTimeout: 500ms, retryOn: "5xx,reset", backoff: 2ms }
  route: [{ destination: { host: ${host} } }]
- timeout: 1s
  retries: { attempts: 0 }
  route: [{ destination: { host: ${host} } }]
`,
    ),
  scenarios: [
    {
      name: "a slow attempt is given up, the next one answers",
      needs: ["retries"],
      waits: true,
      run: async (trial) => (await trial.echo("/try/slow?times=1&ms=10000")).attempt,
      expected: 2,
    },
    {
      name: "every attempt is slow",
      needs: ["answers", "retries"],
      waits: true,
      async run(trial) {
        const { status, headers } = await trial.ask("/never/slow?ms=5000");
        return { status, error: headers["x-inmesh-error"], arrived: (await trial.seen()).arrived };
      },
      expected: { status: 504, error: "PER_TRY_TIMEOUT", arrived: 2 },
    },
    {
      name: "the call's limit",
      needs: ["answers"],
      waits: true,
      async run(trial) {
        const { status, headers } = await trial.ask("/slow?ms=5000");
        const { arrived } = await trial.until({ cut: 1 });
        return { status, error: headers["x-inmesh-error"], type: headers["content-type"], arrived };
      },
      expected: { status: 504, error: "TIMEOUT", type: "text/plain", arrived: 1 },
    },
    {
      name: "an answer that stalls in the middle breaks off",
      waits: true,
      async run(trial) {
        const { status, text, broken } = await trial.ask("/stall");
        return { status, text, broken };
      },
      expected: { status: 200, text: "begun ", broken: true },
    },
  ],
};
