import { first, type Group, rules } from "../scenario.js";

export const aborts: Group = {
  name: "aborts",
  about: "callers that give up: they hear it at once, and whoever works for them hears it too",
  endpoints: first,
  policy: (host) =>
    rules(
      host,
      `
- match: [{ uri: { prefix: /backoff } }]
  retries: { attempts: 3, retryOn: 5xx, backoff: 60s }
  route: [{ destination: { host: ${host} } }]
- route: [{ destination: { host: ${host} } }]
`,
    ),
  scenarios: [
    {
      name: "while the service works",
      waits: true,
      asBare: true,
      async run(trial) {
        const abort = new AbortController();
        const call = trial.ask("/hang", { signal: abort.signal });
        call.catch(() => {});
        await trial.until({ arrived: 1 });
        abort.abort();
        const ended = await trial.ending(call);
        const { cut } = await trial.until({ cut: 1 });
        return { ended, cut };
      },
      expected: { ended: "rejected", cut: 1 },
    },
    {
      name: "in the middle of the answer",
      waits: true,
      asBare: true,
      async run(trial) {
        const abort = new AbortController();
        const { status, body } = await trial.open("/stall", { signal: abort.signal });
        let text = "";
        const reading = (async () => {
          for await (const chunk of body) {
            text += Buffer.from(chunk);
            abort.abort();
          }
        })();
        const ended = await trial.ending(reading);
        const { cut } = await trial.until({ cut: 1 });
        return { status, text, ended, cut };
      },
      expected: { status: 200, text: "begun ", ended: "rejected", cut: 1 },
    },
    {
      name: "during the wait before a retry",
      needs: ["retries"],
      waits: true,
      async run(trial) {
        const abort = new AbortController();
        const call = trial.ask("/backoff/fail?times=9", { signal: abort.signal });
        call.catch(() => {});
        await trial.until({ arrived: 1 });
        abort.abort();
        const ended = await trial.ending(call);
        return { ended, arrived: (await trial.seen()).arrived };
      },
      expected: { ended: "rejected", arrived: 1 },
    },
    {
      name: "before it began",
      asBare: true,
      async run(trial) {
        const ended = await trial.ending(trial.ask("/echo", { signal: AbortSignal.abort() }));
        return { ended, arrived: (await trial.seen()).arrived };
      },
      expected: { ended: "rejected", arrived: 0 },
    },
  ],
};
