/**
 * Everything that an identity goes through in its years, within a minute: leaves are renewed every second, the intermediate and
 * the root are replaced, the authority is away for longer than half of a leaf's life, the disk is full when a key is to
 * be written. Every server is STRICT, requests come at a steady rate, and none may fail.
 */

import { setTimeout as delay } from "node:timers/promises";
import type { FromCaller, Load } from "../messages.js";
import { MIX } from "../scenario/scenario.js";
import type { Caller, Stage } from "../stage.js";
import type { Tally } from "../tally.js";
import { announceRoot, OVERLAP_MS, rotateLeaves, type Supply, useRoot } from "./supply.js";

export interface IdentityForm {
  readonly perSecond: number;
  /** Of quiet renewals, in ms. */
  readonly renewalsMs: number;
}

export interface IdentityStory {
  readonly name: string;
  readonly tally: Tally;
  /** In words, in order. */
  readonly events: readonly string[];
  /** Leaves issued, each second, while nothing was wrong. */
  readonly renewalsPerSecond: number;
  /** What does not hold. */
  readonly broken: readonly string[];
}

export const STRICT = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: shop }
spec: { mtls: { mode: STRICT } }
`;

const FOREVER_S = 300;
const SETTLE_MS = 2_000;

export async function identityStory(
  stage: Stage,
  caller: Caller,
  supply: Supply,
  { perSecond, renewalsMs }: IdentityForm,
  say: (event: string) => void = () => {},
): Promise<IdentityStory> {
  const events: string[] = [];
  const broken: string[] = [];
  const startedAt = performance.now();
  const note = (text: string): void => {
    const event = `${((performance.now() - startedAt) / 1_000).toFixed(1)} s: ${text}`;
    events.push(event);
    say(event);
  };
  const load: Load = { name: "identity", perSecond, seconds: FOREVER_S, ...MIX };
  const tally = stage.run(caller, load);
  tally.catch(() => {}); // said by whoever awaits it
  await caller.hear((message): message is Extract<FromCaller, { type: "mesh" }> => message.type === "mesh");
  note(`${supply.name}; ${stage.backends.length} backends under STRICT, ${perSecond} requests/s`);
  await delay(SETTLE_MS);

  const before = await supply.issued();
  const since = performance.now();
  await delay(renewalsMs);
  const renewalsPerSecond = ((await supply.issued()) - before) / ((performance.now() - since) / 1_000);
  note(`${renewalsPerSecond.toFixed(1)} leaves a second were issued`);

  await rotateLeaves(supply);
  note("a new intermediate signs");
  await delay(supply.ttlMs);

  await announceRoot(supply);
  note("a new root is trusted beside the old one");
  await delay(OVERLAP_MS);
  await useRoot(supply);
  note("the new root signs");
  await delay(supply.ttlMs);

  if (supply.fullDisk !== undefined) {
    const refused = await supply.fullDisk(() => delay(supply.ttlMs / 2));
    note(`the disk was full: ${refused}`);
    await delay(SETTLE_MS);
  }

  await supply.away();
  const awayMs = 0.6 * supply.ttlMs;
  note(`the authority is away for ${awayMs} ms, leaves live ${supply.ttlMs} ms`);
  await delay(awayMs);
  await supply.back();
  note("it is back");
  await delay(SETTLE_MS);

  caller.send({ type: "finish", load: load.name });
  const ended = await tally;
  note(`${ended.all.sent} requests, ${ended.all.sent - ended.all.ok} failed`);
  const failed = ended.outcomes.filter(({ ok }) => !ok).slice(0, 5);
  if (ended.all.ok < ended.all.sent) {
    const when = failed.map(({ at, reason }) => `${reason} at ${(at / 1_000).toFixed(1)} s`).join(", ");
    broken.push(`${ended.all.sent - ended.all.ok} of ${ended.all.sent} failed: ${when}`);
  }
  broken.push(...ended.lies.slice(0, 3));
  if (ended.postsExecutedTwice > 0) broken.push(`${ended.postsExecutedTwice} POSTs were carried out twice`);
  return { name: supply.name, tally: ended, events, renewalsPerSecond, broken };
}
