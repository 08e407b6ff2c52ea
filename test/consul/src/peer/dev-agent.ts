/** A Consul in one process that keeps all in memory: a server and an agent at once, ready in half a second. */

import { ConsulProcess } from "./consul-process.js";
import { type ConsulBinary, isAtLeast } from "./find-consul.js";
import { freePorts } from "./free-ports.js";

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

/** Somebody else may take a port between its choice and its use. */
const ATTEMPTS = 3;

export async function startDevAgent(binary: ConsulBinary, options: DevAgentOptions = {}): Promise<DevAgent> {
  for (let attempt = 1; ; attempt++) {
    const agent = await prepare(binary, options);
    try {
      agent.start();
      await agent.ready();
      return agent;
    } catch (error) {
      await agent[Symbol.asyncDispose]();
      if (attempt === ATTEMPTS || !/address already in use/.test(String(error))) throw error;
    }
  }
}

async function prepare(
  binary: ConsulBinary,
  { node = "n1", managementToken, tls, datacenter, configuration }: DevAgentOptions,
): Promise<DevAgent> {
  const [http = 0, grpc = 0, server = 0, serf = 0, https = 0] = await freePorts(5);
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
