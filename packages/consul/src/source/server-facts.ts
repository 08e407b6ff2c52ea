/** What the translation of config entries has to know of the Consul that has them. */

import type { Clock } from "@inmesh/core";
import type { ConsulClient } from "../client/consul-client.js";
import { ConsulError } from "../client/consul-error.js";
import { record, textOf } from "../registrar/read.js";
import { askWithin } from "../watch/watch.js";

export interface ServerFacts {
  /** That is asked; empty where nobody says: one that an entry names is asked by its name then, which is right, too. */
  readonly datacenter: string;
  /** Whether those may call each other of whom no intention speaks. */
  readonly intentionDefault: "allow" | "deny";
}

interface Asking {
  readonly client: ConsulClient;
  readonly clock: Clock;
}

const LIMIT_MS = 10_000;

/** @throws {ConsulError} when Consul could not be asked; what the token may not ask is found out otherwise */
export async function serverFacts(asking: Asking): Promise<ServerFacts> {
  const { Config, DebugConfig } = record(await bodyOf(asking, "/agent/self"));
  const settings = record(DebugConfig);
  const policy = textOf(settings["ACLDefaultPolicy"] ?? record(settings["ACLResolverSettings"])["ACLDefaultPolicy"]);
  const enabled = settings["ACLsEnabled"] ?? record(settings["ACLResolverSettings"])["ACLsEnabled"];
  return {
    datacenter: asking.client.target.dc ?? (textOf(record(Config)["Datacenter"]) || (await onlyDatacenter(asking))),
    intentionDefault: enabled === false || policy === "allow" || !(await hasAcls(asking)) ? "allow" : "deny",
  };
}

/** Its name, where there is no other; anybody may ask for it. */
async function onlyDatacenter(asking: Asking): Promise<string> {
  const names = await bodyOf(asking, "/catalog/datacenters");
  return Array.isArray(names) && names.length === 1 ? textOf(names[0]) : "";
}

async function hasAcls({ client, clock }: Asking): Promise<boolean> {
  try {
    await askWithin(LIMIT_MS, { client, clock }, { method: "POST", path: "/internal/acl/authorize", body: [] });
    return true;
  } catch (error) {
    if (error instanceof ConsulError && error.status === 401) return false;
    throw error;
  }
}

/** Undefined when the token may not. */
async function bodyOf({ client, clock }: Asking, path: string): Promise<unknown> {
  try {
    return (await askWithin(LIMIT_MS, { client, clock }, { path })).body;
  } catch (error) {
    if (error instanceof ConsulError && error.kind === "refused") return undefined;
    throw error;
  }
}
