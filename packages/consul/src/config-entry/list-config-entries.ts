/** All config entries of a Consul, asked for once. */

import type { Clock } from "@inmesh/core";
import { type ConsulClient, path } from "../client/consul-client.js";
import { ConsulError } from "../client/consul-error.js";
import { CALLERS_SERVICE } from "../service-name.js";
import { serverFacts } from "../source/server-facts.js";
import { CONFIG_ENTRY_KINDS } from "./config-entry.js";
import { isData } from "./field.js";
import type { ConfigEntryInput } from "./translate.js";

/** @throws {ConsulError} */
export async function listConfigEntries(
  client: ConsulClient,
  clock: Clock,
  signal?: AbortSignal,
): Promise<ConfigEntryInput> {
  const list = async (at: string): Promise<readonly unknown[] | undefined> => {
    try {
      const { status, body } = await client.ask({ path: at, ...(signal && { signal }) });
      return status === 404 ? undefined : Array.isArray(body) ? body : [];
    } catch (error) {
      if (error instanceof ConsulError && /invalid config entry kind/i.test(error.message)) return undefined;
      throw error;
    }
  };
  const kinds = Object.keys(CONFIG_ENTRY_KINDS);
  const [facts, services, ...lists] = await Promise.all([
    serverFacts({ client, clock }),
    client.ask({ path: "/catalog/services", ...(signal && { signal }) }),
    ...kinds.map((kind) => list(path`/config/${kind}`)),
  ]);
  const hasIntentions = lists[kinds.indexOf("service-intentions")] !== undefined;
  return {
    entries: lists.flatMap((each) => each ?? []),
    intentions: hasIntentions ? [] : ((await list("/connect/intentions")) ?? []),
    services: isData(services.body) ? Object.keys(services.body).filter((name) => name !== CALLERS_SERVICE) : [],
    namespace: client.target.namespace,
    ...facts,
  };
}
