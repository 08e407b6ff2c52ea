/** The story of the quorum for people. */

import type { ConsulBinary } from "@inmesh-test/consul/peer";
import { percent, table } from "../report.js";
import type { QuorumStory } from "./quorum-story.js";

export function printQuorumStory(story: QuorumStory, { version }: ConsulBinary): string {
  const { tallies, events, convergenceMs, registeredAgainMs, fewestEndpoints, busiest, broken } = story;
  const rows = tallies.map(({ name, all, posts, amplification, p50, p99, lateMs }) => [
    name,
    ...[String(all.sent), String(all.sent - all.ok), percent(posts), amplification.toFixed(3)],
    `${p50.toFixed(0)} / ${p99.toFixed(0)}`,
    lateMs.toFixed(0),
  ]);
  return [
    `Consul ${version}: a leader, a quorum and an agent's memory are lost`,
    ...events.map((event) => `  ${event}`),
    table(["caller", "sent", "failed", "POST", "load", "p50 / p99 ms", "stood still ms"], rows),
    `fewest endpoints ${fewestEndpoints}; converged ${ms(convergenceMs)} after the first good write; registered again ${ms(registeredAgainMs)} after the agent's return`,
    ...busiest.map(
      ({ who, processes, perSecond, ofOneWatch }) =>
        `${who}, asked by ${processes}: most requests in a second ${perSecond}, most of one watch ${ofOneWatch.toFixed(1)}/s over ten seconds`,
    ),
    ...(broken.length === 0 ? ["holds"] : broken.map((each) => `DOES NOT HOLD: ${each}`)),
  ].join("\n");
}

const ms = (value: number): string => `${Math.round(value)} ms`;
