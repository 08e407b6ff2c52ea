/** One scenario through one client to one server: skipped with a reason, or judged. */

import { isDeepStrictEqual } from "node:util";
import type { Client } from "./client/client.js";
import type { Cell, ServerFacts } from "./messages.js";
import { type Group, hostOf, type Observation, type Scenario } from "./scenario.js";
import { Trial } from "./trial.js";

export interface Work {
  readonly client: Client;
  readonly server: ServerFacts;
  readonly group: Group;
  readonly scenario: Scenario;
}

/** No scenario takes longer; one that does has lost. In ms. */
const LIMIT_MS = 12_000;

export async function runCell({ client, server, group, scenario }: Work): Promise<Omit<Cell, "family">> {
  const where = { client: client.name, server: server.id, group: group.name, scenario: scenario.name };
  const reason = scenario.needs?.map((feature) => client.lacks[feature] ?? server.lacks[feature]).find(Boolean);
  if (reason !== undefined) return { ...where, outcome: "skip", detail: reason, ms: 0 };
  const startedAt = performance.now();
  const { control } = server;
  const trial = new Trial({ client, base: `http://${hostOf(group, server.id)}`, control });
  const expected = typeof scenario.expected === "function" ? scenario.expected(client) : scenario.expected;
  const found = await outcome(scenario, trial);
  const problems: string[] = [];
  if (!isDeepStrictEqual(found, expected)) {
    problems.push(`found ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`);
  }
  if (scenario.asBare) {
    const bare = await outcome(scenario, new Trial({ client, base: `http://127.0.0.1:${server.v1}`, control }));
    if (!isDeepStrictEqual(bare, found)) {
      problems.push(`found ${JSON.stringify(found)}, and without a mesh ${JSON.stringify(bare)}`);
    }
  }
  return {
    ...where,
    outcome: problems.length === 0 ? "pass" : "fail",
    detail: problems.join("; "),
    ms: Math.round(performance.now() - startedAt),
    ...(trial.tallied !== undefined && { tally: trial.tallied }),
  };
}

async function outcome(scenario: Scenario, trial: Trial): Promise<Observation> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Observation>((resolve) => {
    timer = setTimeout(() => resolve({ thrown: `nothing after ${LIMIT_MS} ms` }), LIMIT_MS);
  });
  try {
    return await Promise.race([scenario.run(trial), late]);
  } catch (error) {
    return { thrown: `${(error as Error).name}: ${(error as Error).message}`, cause: String((error as Error).cause) };
  } finally {
    clearTimeout(timer);
  }
}
