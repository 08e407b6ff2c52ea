/** Servers with their data on disk, one or three that elect a leader; each is an agent as well. */

import { ConsulProcess } from "./consul-process.js";
import { defaultDeny } from "./dev-agent.js";
import type { ConsulBinary } from "./find-consul.js";
import { onFreePorts } from "./free-ports.js";

export interface ServersOptions {
  readonly managementToken?: string;
  /** More of Consul's configuration, for each. */
  readonly configuration?: Readonly<Record<string, unknown>>;
}

export interface Servers extends AsyncDisposable {
  readonly servers: readonly ConsulProcess[];
  /** Where another agent joins them. */
  readonly joined: readonly string[];
  /** Who leads, as those that run see it. Rejects while nobody does. */
  leader(): Promise<ConsulProcess>;
}

const PORTS_EACH = 4;
/** Until one of three leads; 1.8 s on a quiet machine. */
const ELECTED_MS = 30_000;

export function startServers(binary: ConsulBinary, size: 1 | 3, options: ServersOptions = {}): Promise<Servers> {
  return onFreePorts(size * PORTS_EACH, (ports) => startOn(ports, binary, size, options));
}

async function startOn(
  ports: readonly number[],
  binary: ConsulBinary,
  size: 1 | 3,
  { managementToken, configuration }: ServersOptions,
): Promise<Servers> {
  const of = (server: number) => ports.slice(server * PORTS_EACH, (server + 1) * PORTS_EACH);
  const all = Array.from({ length: size }, (_, index) => of(index));
  const joined = all.map(([, , , serf]) => `127.0.0.1:${serf}`);
  const servers = all.map(([http = 0, grpc = 0, server = 0, serf = 0], index) => {
    const process = new ConsulProcess({
      ...{ binary, node: `server-${index + 1}` },
      ...(managementToken !== undefined && { token: managementToken }),
      configuration: {
        ports: { http, https: -1, grpc, dns: -1, server, serf_lan: serf, serf_wan: -1 },
        ...{ server: true, bootstrap_expect: size, retry_join: size > 1 ? joined : [], retry_interval: "1s" },
        ...{ performance: { raft_multiplier: 1 }, connect: { enabled: true } },
        ...(managementToken !== undefined && { acl: defaultDeny(binary, managementToken) }),
        ...configuration,
      },
    });
    return { process, server };
  });
  const processes = servers.map(({ process }) => process);
  const end = async (): Promise<void> => {
    await Promise.all(processes.map((process) => process[Symbol.asyncDispose]()));
  };
  try {
    for (const process of processes) process.start();
    await Promise.all(processes.map((process) => process.ready(ELECTED_MS)));
  } catch (error) {
    await end();
    throw error;
  }
  return {
    servers: processes,
    joined,
    [Symbol.asyncDispose]: end,
    async leader() {
      const asked = processes.filter(({ running }) => running);
      for (const each of asked) {
        const { body } = await each.ask("GET", "/v1/status/leader").catch(() => ({ body: "" }));
        const leader = servers.find(({ server, process }) => process.running && body === `127.0.0.1:${server}`);
        if (leader !== undefined) return leader.process;
      }
      throw new Error("nobody leads");
    },
  };
}
