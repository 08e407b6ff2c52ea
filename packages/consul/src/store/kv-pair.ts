/** Keys and values of Consul's key-value store, as its HTTP API tells them. */

import type { ConsulClient } from "../client/consul-client.js";
import { ConsulError } from "../client/consul-error.js";
import { keyPath } from "../keys.js";
import { record } from "../registrar/read.js";

export interface KvPair {
  readonly key: string;
  readonly text: string;
  readonly createIndex: number;
  /** Check-and-set goes by it; 0 stands for a key that is not there. */
  readonly modifyIndex: number;
}

/** All keys below a prefix but the folders that the web interface makes, oldest first. @throws {ConsulError} */
export async function readTree(client: ConsulClient, prefix: string): Promise<readonly KvPair[]> {
  const { status, body } = await client.ask({ path: keyPath(prefix), query: { recurse: "true" } });
  if (status === 404) return []; // Consul's word for nothing below it
  return pairsOf(client, body);
}

/** The same below several prefixes, all of one moment: a key that moves between them is seen once. @throws {ConsulError} */
export async function readTrees(client: ConsulClient, prefixes: readonly string[]): Promise<readonly KvPair[]> {
  const body = prefixes.map((Key) => ({ KV: { Verb: "get-tree", Key } }));
  const { Results } = record((await client.ask({ method: "PUT", path: "/txn", body })).body);
  return pairsOf(client, Array.isArray(Results) ? Results.map((result) => record(result)["KV"]) : undefined);
}

/** Names alone, in their order. @throws {ConsulError} */
export async function readKeys(client: ConsulClient, prefix: string): Promise<readonly string[]> {
  const { status, body } = await client.ask({ path: keyPath(prefix), query: { keys: "true" } });
  if (status === 404) return [];
  if (!Array.isArray(body) || !body.every((key) => typeof key === "string")) throw garbled(client);
  return body;
}

/** Undefined when the key is not there. @throws {ConsulError} */
export async function readText(client: ConsulClient, key: string): Promise<string | undefined> {
  const { status, body } = await client.ask({ path: keyPath(key) });
  if (status === 404) return undefined;
  return (Array.isArray(body) ? pairOf(body[0]) : undefined)?.text ?? fail(garbled(client));
}

/** @param text undefined: the key is deleted @returns false when the key is no longer as `index` says @throws {ConsulError} */
export async function checkAndSet(
  client: ConsulClient,
  key: string,
  text: string | undefined,
  index: number,
): Promise<boolean> {
  const value =
    text === undefined ? { method: "DELETE" as const } : { method: "PUT" as const, body: Buffer.from(text) };
  const { body } = await client.ask({ ...value, path: keyPath(key), query: { cas: index } });
  if (typeof body !== "boolean") throw garbled(client);
  return body;
}

function pairsOf(client: ConsulClient, entries: unknown): readonly KvPair[] {
  if (!Array.isArray(entries)) throw garbled(client);
  return entries
    .map((entry) => pairOf(entry) ?? fail(garbled(client)))
    .filter(({ key }) => !key.endsWith("/"))
    .sort((a, b) => a.createIndex - b.createIndex || (a.key < b.key ? -1 : 1));
}

function pairOf(entry: unknown): KvPair | undefined {
  if (typeof entry !== "object" || entry === null) return undefined;
  const { Key, Value, CreateIndex, ModifyIndex } = entry as Record<string, unknown>;
  const valued = typeof Value === "string" || Value === null;
  if (typeof Key !== "string" || !valued || typeof CreateIndex !== "number" || typeof ModifyIndex !== "number")
    return undefined;
  const text = Buffer.from(Value ?? "", "base64").toString("utf8");
  return { key: Key, text, createIndex: CreateIndex, modifyIndex: ModifyIndex };
}

function garbled(client: ConsulClient): ConsulError {
  return new ConsulError("garbled", `${client.shown} answered with something that is no list of keys`);
}

function fail(error: Error): never {
  throw error;
}
