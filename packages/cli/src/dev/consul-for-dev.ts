/** A session on Consul: one that runs, or one of the session's own. The folder's policy is brought into its KV store. */

import { ConsulRegistry, parseConsulUrl } from "@inmesh/consul";
import { messageOf, systemRandom } from "@inmesh/core";
import { FolderRegistry } from "@inmesh/core/folder";
import { parseDocuments } from "@inmesh/model";
import { CliError, EXIT } from "../exit.js";
import { ConsulAgent } from "./consul-agent.js";
import type { DevRegistry, DevRegistryOptions } from "./dev-registry.js";
import { findConsul } from "./find-consul.js";
import { PolicyMirror } from "./policy-mirror.js";
import { FAULT_FILE, MODE_FILE } from "./policy-switch.js";

/** @param url undefined: an agent is started @param folder of the policy @throws {CliError} */
export async function openConsulForDev(
  url: string | undefined,
  folder: string,
  options: DevRegistryOptions,
): Promise<DevRegistry> {
  const { events, cli } = options;
  const { clock } = cli.io;
  const agent = url === undefined ? await startAgent(options) : undefined;
  // A variable that is meant for another Consul must not make this one speak TLS. The services keep their names in it.
  const config =
    agent === undefined ? `${url}` : `consul://127.0.0.1:${agent.port}?tls=false&namespace=${options.namespace}`;
  try {
    const registry = openConsul(config, options);
    const mirror = new PolicyMirror({
      source: new FolderRegistry({ path: folder, parse: parseDocuments, clock }),
      store: registry.store,
      isTemporary: ({ origin: { file } }) => file.endsWith(MODE_FILE) || file.endsWith(FAULT_FILE),
      // A Consul of our own ends with us.
      onTemporary: (documents) => agent === undefined && options.reaper.undo({ config, documents }),
      onFailure: (reason) => events.add("error", `the files of ${folder} are not in force: ${reason}`),
    });
    try {
      await registry.store.list();
    } catch (error) {
      throw new CliError(EXIT.unreachable, `no registry: ${messageOf(error)}`, "Check its address, and that it runs.");
    }
    await mirror.start();
    return {
      ...{ config, folder, source: registry, ours: agent !== undefined, shown: registry.client.shown },
      close: async () => {
        await mirror.close();
        await agent?.stop();
      },
      closeSync: () => agent?.killSync(),
    };
  } catch (error) {
    await agent?.stop();
    throw error;
  }
}

function openConsul(config: string, { cli: { io } }: DevRegistryOptions): ConsulRegistry {
  try {
    const target = parseConsulUrl(config, io.env);
    return new ConsulRegistry({ target, clock: io.clock, random: systemRandom, parse: parseDocuments, scope: "all" });
  } catch (error) {
    throw new CliError(EXIT.usage, messageOf(error), "Write --registry consul://host:8500.");
  }
}

async function startAgent({ cli: { io }, scratch, events, reaper, signal }: DevRegistryOptions): Promise<ConsulAgent> {
  const binary = findConsul(io.env, (line) => events.add("process", line));
  return ConsulAgent.start({
    ...{ binary, scratch, clock: io.clock, signal, reaper },
    onEnd: (reason) =>
      events.add("error", `the Consul of this session ended: ${reason}; services go on with what they know`),
  });
}
