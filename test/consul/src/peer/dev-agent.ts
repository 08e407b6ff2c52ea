/** A Consul in one process that keeps all in memory: a server and an agent at once, ready in half a second. */

import { ConsulProcess } from "./consul-process.js";
import { type ConsulBinary, isAtLeast } from "./find-consul.js";
import { onFreePorts } from "./free-ports.js";

export interface AgentTls {
  /** Paths of PEM files. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Whoever asks has to show a certificate of this CA. @default false */
  readonly verifyIncoming?: boolean;
}

export interface DevAgentOptions {
  readonly node?: string;
  /** ACLs with default policy deny; this token may do all. */
  readonly managementToken?: string;
  /** Serves HTTPS beside HTTP, on `httpsPort`. */
  readonly tls?: AgentTls;
  readonly datacenter?: string;
  /** More of Consul's configuration. */
  readonly configuration?: Readonly<Record<string, unknown>>;
}

export interface DevAgent extends ConsulProcess {
  /** 0 without `tls`. */
  readonly httpsPort: number;
}

export function startDevAgent(binary: ConsulBinary, options: DevAgentOptions = {}): Promise<DevAgent> {
  return onFreePorts(PORTS, async (ports) => {
    const agent = prepare(binary, options, ports);
    await agent.startReady();
    return agent;
  });
}

const PORTS = 5;

function prepare(
  binary: ConsulBinary,
  { node = "n1", managementToken, tls, datacenter, configuration }: DevAgentOptions,
  [http = 0, grpc = 0, server = 0, serf = 0, https = 0]: readonly number[],
): DevAgent {
  const agent = new ConsulProcess({
    ...{ binary, node, flags: ["-dev"] },
    ...(managementToken !== undefined && { token: managementToken }),
    configuration: {
      ports: { http, https: tls ? https : -1, grpc, dns: -1, server, serf_lan: serf, serf_wan: -1 },
      ...(datacenter !== undefined && { datacenter }),
      ...(managementToken !== undefined && { acl: defaultDeny(binary, managementToken) }),
      ...(tls !== undefined && {
        ...{ ca_file: tls.ca, cert_file: tls.cert, key_file: tls.key },
        verify_incoming_https: tls.verifyIncoming ?? false,
      }),
      ...configuration,
    },
  });
  return Object.assign(agent, { httpsPort: tls ? https : 0 });
}

/** @param token of initial management, and the agent's own */
export function defaultDeny(binary: ConsulBinary, token: string): object {
  const named = isAtLeast(binary, "1.11") ? "initial_management" : "master";
  return { enabled: true, default_policy: "deny", tokens: { [named]: token, agent: token } };
}
