/** What config entries mean depends on it: which datacenter answers, and whom it lets through without an intention. */

import { record, textOf } from "../registrar/read.js";
import type { ConsulClient } from "./consul-client.js";
import { ConsulError } from "./consul-error.js";

export interface ServerFacts {
  readonly datacenter: string;
  /** Consul refuses what no intention allows where its ACLs refuse by default. */
  readonly intentionDefault: "allow" | "deny";
}

/** @throws {ConsulError} */
export async function serverFacts(client: ConsulClient, signal?: AbortSignal): Promise<ServerFacts> {
  const stop = signal === undefined ? {} : { signal };
  const { headers, body } = await client.ask({ path: "/catalog/datacenters", ...stop });
  const nearest = Array.isArray(body) ? textOf(body[0]) : "";
  const said = headers["x-consul-default-acl-policy"];
  const self = await ofAgent(client, stop);
  const datacenter = client.target.dc ?? (self?.datacenter || nearest);
  return { datacenter, intentionDefault: (said ?? self?.policy) === "deny" ? "deny" : "allow" };
}

/** Undefined where the token may not read it. Before 1.11 only the agent itself says what its ACLs do. */
async function ofAgent(client: ConsulClient, stop: { readonly signal?: AbortSignal }) {
  try {
    const { body } = await client.ask({ path: "/agent/self", ...stop });
    const { Config, DebugConfig } = record(body);
    const debug = record(DebugConfig);
    const settings = record(debug["ACLResolverSettings"]);
    const enabled = (debug["ACLsEnabled"] ?? settings["ACLsEnabled"]) === true;
    const policy = textOf(debug["ACLDefaultPolicy"]) || textOf(settings["ACLDefaultPolicy"]);
    return { datacenter: textOf(record(Config)["Datacenter"]), policy: enabled ? policy : "allow" };
  } catch (error) {
    if (error instanceof ConsulError && error.kind === "refused") return undefined;
    throw error;
  }
}
