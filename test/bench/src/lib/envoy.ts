/**
 * A real Envoy as a sidecar of Istio's is set up: an HTTP connection manager with the filters fault, rbac and router, the
 * default retry policy, one worker thread, no access log, no tracing, no TLS.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { onCpu } from "./pinned.js";

const START_MS = 20_000;

export interface RunningEnvoy {
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

export interface EnvoyProcess {
  readonly binary: string;
  /** Where its configuration is written; also the name it is known by. */
  readonly folder: string;
  readonly name: string;
  readonly cpu: number;
}

export interface EnvoyOptions extends EnvoyProcess {
  /** Port on 127.0.0.1 that it passes everything on to. */
  readonly upstream: number;
}

export function startEnvoy({ upstream, ...process }: EnvoyOptions): Promise<RunningEnvoy> {
  return runEnvoy(process, configuration(process.name, upstream));
}

/** @param configuration with one listener and an admin address, each on a port of the system's choice */
export async function runEnvoy(
  { binary, folder, name, cpu }: EnvoyProcess,
  configuration: unknown,
): Promise<RunningEnvoy> {
  const file = join(folder, `${name}.json`);
  const adminFile = join(folder, `${name}.admin`);
  writeFileSync(file, JSON.stringify(configuration));
  const flags = [
    "--concurrency",
    "1",
    "--disable-hot-restart",
    "--log-level",
    "error",
    "--admin-address-path",
    adminFile,
  ];
  const child = spawn(...onCpu(cpu, binary, ["-c", file, ...flags]), { stdio: ["ignore", "ignore", "inherit"] });
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL"); // it has nothing to lose, and a drain would take its time
    await ended;
  };
  try {
    return { pid: child.pid!, port: await listenerPort(child, adminFile), stop }; // spawned: it has a pid
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The port that the system chose for the listener. */
async function listenerPort(child: ChildProcess, adminFile: string): Promise<number> {
  for (const deadline = Date.now() + START_MS; Date.now() < deadline; await sleep(20)) {
    if (child.exitCode !== null) throw new Error(`Envoy ended with ${child.exitCode} before it was ready`);
    const admin = existsSync(adminFile) ? readFileSync(adminFile, "utf8").trim() : "";
    if (admin === "") continue;
    const listeners = (await (await fetch(`http://${admin}/listeners?format=json`)).json()) as {
      listener_statuses?: { local_address: { socket_address: { port_value: number } } }[];
    };
    const port = listeners.listener_statuses?.[0]?.local_address.socket_address.port_value;
    const state = (await (await fetch(`http://${admin}/server_info`)).json()) as { state: string };
    if (port !== undefined && state.state === "LIVE") return port;
  }
  throw new Error(`Envoy was not ready within ${START_MS} ms`);
}

const TYPE = "type.googleapis.com/envoy.extensions";
const loopback = (port: number) => ({ socket_address: { address: "127.0.0.1", port_value: port } });

function configuration(name: string, upstream: number): unknown {
  const filter = (filterName: string, type: string) => ({
    name: filterName,
    typed_config: { "@type": `${TYPE}.filters.http.${type}` },
  });
  const route = {
    match: { prefix: "/" },
    route: {
      cluster: "next",
      timeout: "0s",
      retry_policy: {
        retry_on: "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
        num_retries: 2,
        host_selection_retry_max_attempts: "5",
        retriable_status_codes: [503],
      },
    },
  };
  const manager = {
    "@type": `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes: [route] }] },
    http_filters: [
      filter("envoy.filters.http.fault", "fault.v3.HTTPFault"),
      filter("envoy.filters.http.rbac", "rbac.v3.RBAC"),
      filter("envoy.filters.http.router", "router.v3.Router"),
    ],
  };
  return {
    node: { id: name, cluster: name },
    admin: { address: loopback(0) },
    static_resources: {
      listeners: [
        {
          name: "in",
          address: loopback(0),
          filter_chains: [{ filters: [{ name: "http", typed_config: manager }] }],
        },
      ],
      clusters: [
        {
          name: "next",
          type: "STATIC",
          connect_timeout: "10s",
          load_assignment: {
            cluster_name: "next",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: loopback(upstream) } }] }],
          },
        },
      ],
    },
  };
}
