import { findConsul } from "@inmesh-test/consul/peer";
import { expect, it } from "vitest";
import { isBreathless } from "../run-scenarios.js";
import { printQuorumStory } from "./print.js";
import { type QuorumStory, quorumStory } from "./quorum-story.js";

const binary = findConsul("calls while Consul loses its leader, its quorum and an agent's memory");

// `npm run chaos -- consul` is the same in full. Four Consuls and six processes start here, beside whatever the machine does.
const FORM = { perSecond: 100, withoutQuorumMs: 4_000 };
const MOST_RUNS = 2;

it.skipIf(binary === undefined)(
  "no call fails while Consul loses its leader, its quorum and an agent's memory",
  async () => {
    for (let time = 1; ; time++) {
      const story = await quorumStory(binary!, FORM);
      console.log(printQuorumStory(story, binary!));
      expect(story.never).toEqual([]);
      if (story.broken.length === 0) return;
      if (!outOfBreath(story)) expect(story.broken).toEqual([]);
      if (time === MOST_RUNS) return console.warn("not judged further: the machine let callers wait for their turn");
    }
  },
  150_000,
);

function outOfBreath({ tallies }: QuorumStory): boolean {
  return tallies.some(isBreathless);
}
