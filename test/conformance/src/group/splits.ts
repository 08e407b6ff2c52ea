import { both, type Group, rules } from "../scenario.js";
import { type Trial, times } from "../trial.js";

/** Versions that answered, by count. */
async function split(trial: Trial, path: string, calls: number): Promise<{ v1: number; v2: number }> {
  const counts = { v1: 0, v2: 0 };
  for (const { headers } of await times(calls, () => trial.ask(path))) counts[headers["x-version"] as "v1" | "v2"] += 1;
  return counts;
}

export const splits: Group = {
  name: "splits",
  about: "weights of two versions",
  ofCallers: true,
  endpoints: both,
  policy: (host) =>
    rules(
      host,
      `
- match: [{ uri: { prefix: /all } }]
  route: [{ destination: { host: ${host}, subset: v1 }, weight: 100 }, { destination: { host: ${host}, subset: v2 }, weight: 0 }]
- match: [{ uri: { prefix: /half } }]
  route: [{ destination: { host: ${host}, subset: v1 }, weight: 50 }, { destination: { host: ${host}, subset: v2 }, weight: 50 }]
- route: [{ destination: { host: ${host}, subset: v1 }, weight: 90 }, { destination: { host: ${host}, subset: v2 }, weight: 10 }]
`,
    ),
  scenarios: [
    {
      name: "100 to 0",
      run: (trial) => split(trial, "/all/big?bytes=1", 6),
      expected: { v1: 6, v2: 0 },
    },
    // One row says little of a share; the sum over all of them is judged closely (`SHARES`).
    {
      name: "50 to 50",
      async run(trial) {
        const { v1, v2 } = await split(trial, "/half/big?bytes=1", 24);
        trial.tally(v1, v2);
        return { calls: v1 + v2, both: v1 > 0 && v2 > 0 }; // one of them has none once in 8 million rows
      },
      expected: { calls: 24, both: true },
    },
    {
      name: "90 to 10",
      async run(trial) {
        const { v1, v2 } = await split(trial, "/canary/big?bytes=1", 12);
        trial.tally(v1, v2);
        return { calls: v1 + v2, v1: v1 > 3 };
      },
      expected: { calls: 12, v1: true },
    },
  ],
};

/** What v2 must have of the sum over all pairs, by scenario. */
export const SHARES: Readonly<Record<string, number>> = { "50 to 50": 0.5, "90 to 10": 0.1 };
