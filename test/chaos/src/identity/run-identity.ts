/** Both ways to come by certificates, each with processes of its own. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { guarded } from "../policy.js";
import { Stage } from "../stage.js";
import { expiry } from "./expiry.js";
import { FileSupply } from "./file-supply.js";
import { FolderSupply } from "./folder-supply.js";
import { type IdentityForm, type IdentityStory, identityStory, STRICT } from "./identity-story.js";
import type { Supply } from "./supply.js";

/** Renewed at half of it: each second or two. In ms. */
const FOLDER_TTL_MS = 3_000;
/** Written anew every second; longer, so that there is something to be away for. In ms. */
const FILES_TTL_MS = 10_000;
const BACKENDS = 3;
/** Times LIMITS: timeouts are not the subject here. */
const PATIENCE = 5;

export async function identityStories(
  form: IdentityForm,
  only = /./,
  say: (event: string) => void = () => {},
): Promise<readonly IdentityStory[]> {
  const stories: IdentityStory[] = [];
  if (only.test("folder")) {
    stories.push(await story((registry) => FolderSupply.open(registry, FOLDER_TTL_MS), form, false, say));
  }
  if (only.test("files")) stories.push(await story(() => FileSupply.open(FILES_TTL_MS), form, true, say));
  return stories;
}

async function story(
  open: (registry: string) => Promise<Supply>,
  form: IdentityForm,
  expires: boolean,
  say: (event: string) => void,
): Promise<IdentityStory> {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-identity-"));
  const registry = join(folder, "mesh");
  mkdirSync(registry);
  writeFileSync(join(registry, "policy.yaml"), `${guarded(form.perSecond, PATIENCE)}---${STRICT}`);
  const supply = await open(registry);
  try {
    const environment = (service: string) => supply.environment(service);
    await using stage = await Stage.open({ backends: BACKENDS, policy: "", registry, environment });
    const caller = await stage.startCaller({ CHAOS_SEEN: "1" });
    const told = await identityStory(stage, caller, supply, form, say);
    if (!expires) return told;
    const { events, broken } = await expiry(stage, caller, supply);
    for (const event of events) say(event);
    return { ...told, events: [...told.events, ...events], broken: [...told.broken, ...broken] };
  } finally {
    await supply[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  }
}

export function printIdentityStory({ name, tally, events, broken }: IdentityStory): string {
  const { all, p50, p99, lateMs } = tally;
  const times = `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, the caller stood still for ${lateMs.toFixed(0)} ms at most`;
  return [
    `${name}: ${all.sent} requests, ${all.sent - all.ok} failed; ${times}`,
    ...events.map((event) => `  ${event}`),
    ...(broken.length === 0 ? ["holds"] : broken.map((each) => `DOES NOT HOLD: ${each}`)),
  ].join("\n");
}
