/**
 * Runs the whole matrix on real sockets: a process for each kind of server, one for each family of clients, a registry
 * folder between them, and nothing else.
 */

import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { FAMILIES, type FamilyName } from "./client/families.js";
import { GROUPS } from "./groups.js";
import type { Cell, FromClients, ServerFacts, ToClients } from "./messages.js";
import { concerns, type Group, hostOf } from "./scenario.js";
import { EXPLICIT_SERVERS, type ServerName } from "./server/server-kind.js";
import { SERVERS } from "./server/server-kinds.js";

export interface MatrixRun {
  readonly cells: readonly Cell[];
  readonly servers: readonly ServerFacts[];
  /** What went wrong beside the cells: lines on stderr, a process that did not end by itself. */
  readonly troubles: readonly string[];
  readonly ms: number;
}

/** A process that has nothing left to do is gone within this time, in ms. */
const EXIT_MS = 10_000;
const DRAINED_MS = 15_000;

export interface MatrixOptions {
  /** @default all */
  readonly servers?: readonly ServerName[];
  /** @default all */
  readonly families?: readonly FamilyName[];
}

export async function runMatrix(options: MatrixOptions = {}): Promise<MatrixRun> {
  const { servers: names = Object.keys(SERVERS) as ServerName[], families = Object.keys(FAMILIES) as FamilyName[] } =
    options;
  const startedAt = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "inmesh-conformance-"));
  const stage = new Stage(folder);
  try {
    const servers = await Promise.all(names.map((name) => stage.startServer(name)));
    writePolicy(
      folder,
      servers.map(({ facts }) => facts),
    );
    const clients = families.map((family) => stage.startClients(family));
    const facts = servers.map((server) => server.facts);
    const cells = (
      await Promise.all(
        clients.map((each, index) => each.cells({ type: "run", family: families[index]!, servers: facts })),
      )
    ) // as many
      .flat();
    cells.push(...(await drain(stage, clients, servers)));
    await Promise.all(clients.map((each) => each.end()));
    return { cells, servers: facts, troubles: stage.troubles, ms: performance.now() - startedAt };
  } finally {
    await stage.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A second process joins each service, the first one is told to go. */
async function drain(stage: Stage, clients: readonly Clients[], servers: readonly RunningServer[]): Promise<Cell[]> {
  for (const each of clients) each.tell({ type: "load" });
  const spread = clients.map((each) => each.next("spread"));
  await Promise.all(servers.map(({ facts }) => stage.startServer(facts.id)));
  await Promise.all(spread);
  const ends = servers.map(async ({ facts, child }) => {
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    const [code, signal] = await Promise.race([ended, delay(DRAINED_MS, ["still there", ""], { ref: false })]);
    if (signal !== "SIGTERM") stage.troubles.push(`${facts.name} ended with ${code} ${signal}, not by the signal`);
  });
  await Promise.all(ends);
  await delay(300); // calls that follow
  return (await Promise.all(clients.map((each) => each.cells({ type: "stop" })))).flat();
}

interface RunningServer {
  readonly facts: ServerFacts;
  readonly child: ChildProcess;
}

class Stage {
  readonly troubles: string[] = [];
  readonly #folder: string;
  readonly #children: ChildProcess[] = [];

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(join(folder, "policy"));
  }

  async startServer(id: ServerName): Promise<RunningServer> {
    const preload = EXPLICIT_SERVERS.has(id) ? [] : PRELOAD;
    const child = spawn(process.execPath, [...preload, program("server/server-process.js"), id], {
      env: this.#env({ INMESH_SERVICE: id, INMESH_ADDRESS: "127.0.0.1" }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#keep(child, id);
    for await (const line of child.stdout) {
      const said = JSON.parse(String(line));
      child.stdout.resume();
      return { facts: { ...said, id }, child };
    }
    throw new Error(`the server ${id} ended before it listened: ${this.troubles.join("; ")}`);
  }

  startClients(family: FamilyName): Clients {
    const { zeroCode } = FAMILIES[family];
    const child = fork(program("client-process.js"), {
      execArgv: zeroCode ? PRELOAD : [],
      env: this.#env({ INMESH_SERVICE: `${family}-clients` }),
      stdio: ["ignore", "inherit", "pipe", "ipc"],
    });
    this.#keep(child, `${family} clients`);
    return new Clients(child, family, this.troubles);
  }

  /** Ends what has not ended by itself. */
  async close(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, "exit");
        child.kill("SIGKILL");
        await ended;
      }),
    );
  }

  #keep(child: ChildProcess, name: string): void {
    this.#children.push(child);
    child.stderr?.on("data", (text) => this.troubles.push(`${name} says: ${text}`));
  }

  #env(more: Record<string, string>): NodeJS.ProcessEnv {
    return {
      PATH: process.env["PATH"],
      HOME: this.#folder,
      XDG_CACHE_HOME: join(this.#folder, ".cache"),
      INMESH_CONFIG: join(this.#folder, "policy"),
      INMESH_ADMIN: "off",
      INMESH_PROPAGATION_DELAY_MS: "500",
      ...more,
    };
  }
}

class Clients {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #troubles: string[];

  constructor(child: ChildProcess, name: string, troubles: string[]) {
    this.#child = child;
    this.#name = name;
    this.#troubles = troubles;
  }

  tell(message: ToClients): void {
    this.#child.send(message);
  }

  async cells(message: ToClients): Promise<readonly Cell[]> {
    this.tell(message);
    return ((await this.next("cells")) as { cells: readonly Cell[] }).cells;
  }

  next(type: FromClients["type"]): Promise<FromClients> {
    return new Promise((resolve, reject) => {
      const gone = (code: number | null): void =>
        reject(new Error(`${this.#name} clients ended with ${code}: ${this.#troubles.join("")}`));
      const look = (message: FromClients): void => {
        if (message.type === "failed") reject(new Error(`${this.#name} clients: ${message.error}`));
        if (message.type !== type) return;
        this.#child.removeListener("message", look).removeListener("close", gone);
        resolve(message);
      };
      this.#child.on("message", look).once("close", gone);
    });
  }

  /** Nothing of the mesh may keep the process. */
  async end(): Promise<void> {
    const ended = once(this.#child, "exit");
    this.tell({ type: "end" });
    const [code] = await Promise.race([ended, delay(EXIT_MS, ["is still there"], { ref: false })]);
    if (code !== 0) this.#troubles.push(`${this.#name} clients: exit ${code} after the last call`);
  }
}

/** As built: the runner itself may run from the sources. */
const PRELOAD = ["--import", new URL("../../../packages/node/dist/register.js", import.meta.url).href];

function program(name: string): string {
  return fileURLToPath(new URL(`../dist/${name}`, import.meta.url));
}

function writePolicy(folder: string, servers: readonly ServerFacts[]): void {
  for (const server of servers) {
    const text = GROUPS.filter((group) => concerns(group, server.id))
      .map((group) => policyOf(group, server))
      .filter((each) => each !== "");
    writeFileSync(join(folder, "policy", `${server.id}.yaml`), text.join("---\n"));
  }
}

function policyOf(group: Group, server: ServerFacts): string {
  const host = hostOf(group, server.id);
  const policy = group.policy(host);
  if (group.endpoints === undefined) return policy;
  const name = host.replaceAll(".", "-");
  const endpoints = group
    .endpoints(server)
    .map(
      ({ port, version }) => `    - { address: 127.0.0.1, ports: { http: ${port} }, labels: { version: ${version} } }`,
    );
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name} }
spec:
  hosts: [${host}]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  endpoints:
${endpoints.join("\n")}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name} }
spec:
  host: ${host}
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]
---
${policy}`;
}
