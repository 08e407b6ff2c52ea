/** A real SPIRE: a server, and an agent with the socket that workloads ask. */

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../eventually.js";
import { freePort } from "./istiod.js";

const AGENT_ID = "spiffe://inmesh.test/agent";

export interface SpireOptions {
  /** Folder of spire-server and spire-agent. */
  readonly binaries: string;
  /** Of certificates, such as `1h`. */
  readonly lifetime?: string;
  /** Of the authority's own. */
  readonly authorityLifetime?: string;
}

export class Spire implements AsyncDisposable {
  /** Short: a socket's path has 107 bytes at most. */
  readonly #folder = mkdtempSync("/tmp/spire-");
  readonly #options: SpireOptions;
  readonly #children: ChildProcess[] = [];

  private constructor(options: SpireOptions) {
    this.#options = options;
  }

  static async start(options: SpireOptions): Promise<Spire> {
    const spire = new Spire(options);
    await spire.#startServer();
    await spire.startAgent();
    return spire;
  }

  /** As SPIFFE_ENDPOINT_SOCKET has it. */
  get socket(): string {
    return `unix://${join(this.#folder, "agent.sock")}`;
  }

  /** Whoever asks as this user is `path` of the trust domain, too. @returns names the entry */
  entry(path: string): string {
    const selector = `unix:uid:${process.getuid?.() ?? 0}`;
    const id = `spiffe://inmesh.test${path}`;
    const said = this.#ask("entry", "create", "-parentID", AGENT_ID, "-spiffeID", id, "-selector", selector);
    return /Entry ID\s*: (\S+)/.exec(said)?.[1] ?? "";
  }

  delete(entry: string): void {
    this.#ask("entry", "delete", "-entryID", entry);
  }

  async startAgent(): Promise<void> {
    const token = this.#ask("token", "generate", "-spiffeID", AGENT_ID)
      .replace(/^.*Token: /s, "")
      .trim();
    const agent = this.#run("spire-agent", "agent.conf", ["-joinToken", token]);
    await this.#healthy("spire-agent", join(this.#folder, "agent.sock"), agent);
  }

  async stopAgent(): Promise<void> {
    await stop(this.#children.pop());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children.splice(0).reverse()) await stop(child);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #startServer(): Promise<void> {
    const port = await freePort();
    const folder = this.#folder;
    const { lifetime = "1h", authorityLifetime = "24h" } = this.#options;
    writeFileSync(
      join(folder, "server.conf"),
      `server { bind_address = "127.0.0.1" bind_port = "${port}" socket_path = "${folder}/server.sock"
        trust_domain = "inmesh.test" data_dir = "${folder}/server" log_level = "WARN"
        ca_ttl = "${authorityLifetime}" default_x509_svid_ttl = "${lifetime}" }
      plugins {
        DataStore "sql" { plugin_data { database_type = "sqlite3" connection_string = "${folder}/db.sqlite3" } }
        NodeAttestor "join_token" { plugin_data {} }
        KeyManager "memory" { plugin_data {} }
      }`,
    );
    writeFileSync(
      join(folder, "agent.conf"),
      `agent { data_dir = "${folder}" server_address = "127.0.0.1" server_port = "${port}" log_level = "WARN"
        socket_path = "${folder}/agent.sock" trust_domain = "inmesh.test" insecure_bootstrap = true }
      plugins {
        NodeAttestor "join_token" { plugin_data {} }
        KeyManager "disk" { plugin_data { directory = "${folder}" } }
        WorkloadAttestor "unix" { plugin_data {} }
      }`,
    );
    const server = this.#run("spire-server", "server.conf", []);
    await this.#healthy("spire-server", join(folder, "server.sock"), server);
  }

  #run(binary: string, config: string, more: readonly string[]): ChildProcess {
    const log = openSync(join(this.#folder, `${binary}.log`), "a");
    const child = spawn(join(this.#options.binaries, binary), ["run", "-config", join(this.#folder, config), ...more], {
      stdio: ["ignore", log, log],
    });
    this.#children.push(child);
    return child;
  }

  async #healthy(binary: string, socket: string, child: ChildProcess): Promise<void> {
    const path = join(this.#options.binaries, binary);
    await eventually(`${binary} is healthy`, () => {
      if (child.exitCode !== null) {
        throw new Error(`${binary} ended: ${readFileSync(join(this.#folder, `${binary}.log`), "utf8").slice(-2_000)}`);
      }
      return spawnSync(path, ["healthcheck", "-socketPath", socket]).status === 0;
    });
  }

  #ask(command: string, verb: string, ...more: readonly string[]): string {
    const binary = join(this.#options.binaries, "spire-server");
    return execFileSync(binary, [command, verb, "-socketPath", join(this.#folder, "server.sock"), ...more], {
      encoding: "utf8",
    });
  }
}

async function stop(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}
