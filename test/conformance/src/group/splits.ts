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
      run: (trial) => split(trial, "/all/big?bytes=1", 10),
      expected: { v1: 10, v2: 0 },
    },
    {
      // 24 ± 17: five standard deviations.
      name: "50 to 50, 48 calls",
      async run(trial) {
        const { v1, v2 } = await split(trial, "/half/big?bytes=1", 48);
        return { calls: v1 + v2, fair: v1 >= 7 && v2 >= 7 };
      },
      expected: { calls: 48, fair: true },
    },
    {
      // A mean of 2.4; 15 or more in one of 200 such rows come once in a million runs. The run's sum is judged closer.
      name: "90 to 10, 24 calls",
      async run(trial) {
        const { v1, v2 } = await split(trial, "/canary/big?bytes=1", 24);
        trial.tally(v1, v2);
        return { calls: v1 + v2, mostlyV1: v2 < 15 };
      },
      expected: { calls: 24, mostlyV1: true },
    },
  ],
};
