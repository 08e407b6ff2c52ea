/**
 * Whether the token may read what an answer no longer shows. Consul does not refuse such a read: it answers with less, down
 * to nothing, and the header that says so is missing from most answers. What vanished is asked for by name instead.
 */

import { ConsulError } from "../client/consul-error.js";
import { record } from "../registrar/read.js";
import { askWithin, type WatchOptions } from "../watch/watch.js";

export interface Readable {
  readonly resource: "service" | "node" | "key" | "intention" | "operator";
  /** Name, or key. */
  readonly segment: string;
}

/** Who loses the right to read one of many loses it to most: enough to ask for. */
const MOST = 20;
const LIMIT_MS = 10_000;

/**
 * Returns when the token may read all of them, when ACLs are off, and when the server cannot say.
 * @throws {ConsulError} `refused` when it may not read one; any other when Consul could not be asked
 */
export async function mayRead(
  { client, clock }: Pick<WatchOptions, "client" | "clock">,
  wanted: readonly Readable[],
): Promise<void> {
  const body = wanted
    .slice(0, MOST)
    .map(({ resource, segment }) => ({ Resource: resource, Segment: segment, Access: "read" }));
  if (body.length === 0) return;
  const path = "/internal/acl/authorize";
  let answer: unknown;
  try {
    answer = (await askWithin(LIMIT_MS, { client, clock }, { method: "POST", path, body })).body;
  } catch (error) {
    if (error instanceof ConsulError && error.status === 401) return; // ACLs are off
    throw error;
  }
  if (!Array.isArray(answer)) return; // a server without this call answers 404
  const denied = answer.map(record).find(({ Allow }) => Allow === false);
  if (denied === undefined) return;
  const what = `${denied["Resource"]} ${JSON.stringify(denied["Segment"])}`;
  throw new ConsulError(
    "refused",
    `${client.shown} hides what the token may not read: it may not read ${what}. What was read before stays; grant it ${denied["Resource"]}:read`,
    { status: 403 },
  );
}

/** The same of keys. @throws {ConsulError} as `mayRead` */
export function mayReadKeys(options: Pick<WatchOptions, "client" | "clock">, keys: readonly string[]): Promise<void> {
  return mayRead(
    options,
    keys.map((segment) => ({ resource: "key", segment })),
  );
}
