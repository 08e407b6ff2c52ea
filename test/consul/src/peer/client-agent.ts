/** The agent that a machine of services runs: it serves nobody's data, and asks the servers. */

import { ConsulProcess } from "./consul-process.js";
import type { ConsulBinary } from "./find-consul.js";
import { onFreePorts } from "./free-ports.js";
import type { Servers } from "./servers.js";

const PORTS = 4;

export function startClientAgent(binary: ConsulBinary, { joined }: Pick<Servers, "joined">): Promise<ConsulProcess> {
  return onFreePorts(PORTS, async ([http = 0, grpc = 0, server = 0, serf = 0]) => {
    const agent = new ConsulProcess({
      ...{ binary, node: "machine-1" },
      configuration: {
        ports: { http, https: -1, grpc, dns: -1, server, serf_lan: serf, serf_wan: -1 },
        ...{ server: false, retry_join: joined, retry_interval: "1s" },
      },
    });
    await agent.startReady();
    return agent;
  });
}
