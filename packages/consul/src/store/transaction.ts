/** Several keys changed at once or not at all. */

import type { ConsulClient } from "../client/consul-client.js";
import { ConsulError } from "../client/consul-error.js";

/** Of a server as it comes; a body over the second is a 413, whatever is in it. */
export const MOST_OPERATIONS = 64;
export const MOST_BYTES = 512 * 1024;

export interface Operation {
  readonly key: string;
  /** Undefined: the key is deleted. */
  readonly text: string | undefined;
  /** The key must be as it was at this index, 0: must not be there. Undefined: it may be as it likes. */
  readonly index: number | undefined;
}

/** How much of the request an operation takes. */
export function bytesOf(operation: Operation): number {
  return JSON.stringify(wire(operation)).length + 1;
}

/**
 * @returns the new index of every key that was set; undefined when a key was not as it had to be, and nothing changed
 * @throws {ConsulError}
 */
export async function commit(
  client: ConsulClient,
  operations: readonly Operation[],
): Promise<ReadonlyMap<string, number> | undefined> {
  try {
    const { body } = await client.ask({ method: "PUT", path: "/txn", body: operations.map(wire) });
    const results = body === null || typeof body !== "object" ? undefined : (body as { Results?: unknown }).Results;
    if (!Array.isArray(results)) throw new ConsulError("garbled", `${client.shown} did not say what a change came to`);
    return new Map(results.flatMap((result) => indexIn(result)));
  } catch (error) {
    if (!(error instanceof ConsulError) || error.status !== 409) throw error;
    const faults = faultsIn(error);
    if (faults.some((fault) => /permission denied/i.test(fault))) {
      throw new ConsulError("refused", `${client.shown} answered 403: Permission denied`, {
        status: 403,
        cause: error,
      });
    }
    if (faults.length > 0 && faults.every((fault) => /index is stale/i.test(fault))) return undefined;
    throw new ConsulError("refused", `${error.message}${faults.length > 0 ? `: ${faults.join("; ")}` : ""}`, {
      status: 409,
      cause: error,
    });
  }
}

function wire({ key, text, index }: Operation): { readonly KV: object } {
  const Verb =
    text === undefined ? (index === undefined ? "delete" : "delete-cas") : index === undefined ? "set" : "cas";
  return {
    KV: {
      ...{ Verb, Key: key },
      ...(text !== undefined && { Value: Buffer.from(text).toString("base64") }),
      ...(index !== undefined && { Index: index }),
    },
  };
}

function indexIn(result: unknown): [string, number][] {
  const { KV } = (result ?? {}) as { KV?: { Key?: unknown; ModifyIndex?: unknown } };
  return typeof KV?.Key === "string" && typeof KV.ModifyIndex === "number" ? [[KV.Key, KV.ModifyIndex]] : [];
}

/** What each operation that failed says. */
function faultsIn(error: ConsulError): string[] {
  const { response } = (error.cause ?? {}) as { response?: { body?: unknown } };
  const body = (response?.body ?? {}) as { Errors?: unknown };
  if (!Array.isArray(body.Errors)) return [];
  return body.Errors.map((fault) => String((fault as { What?: unknown } | null)?.What ?? "")).filter(Boolean);
}
