/**
 * Just enough of the Compose specification to judge a file without Docker, and to run what its services would: their
 * commands with their environment, in processes that share a folder as the containers share a volume.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

export interface ComposeService {
  readonly build?: string;
  readonly image?: string;
  readonly command?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly network_mode?: string;
  readonly stop_grace_period?: string;
}

export interface ComposeFile {
  readonly name?: string;
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
}

const TOP = ["name", "services", "volumes"];
const SERVICE = ["build", "image", "command", "environment", "ports", "volumes", "network_mode", "stop_grace_period"];

export function readCompose(folder: string): ComposeFile {
  return parse(readFileSync(join(folder, "compose.yaml"), "utf8"), { merge: true, strict: true });
}

/** What Compose would refuse, or would understand in another way than its author. */
export function lint(file: ComposeFile, folder: string): string[] {
  const problems: string[] = [];
  const expect = (fact: boolean, problem: string): unknown => fact || problems.push(problem);
  for (const key of Object.keys(file)) expect(TOP.includes(key) || key.startsWith("x-"), `unknown key ${key}`);
  expect(/^[a-z0-9][a-z0-9_-]*$/.test(file.name ?? "x"), `name: ${file.name}`);
  for (const [name, service] of Object.entries(file.services)) {
    expect(/^[a-zA-Z0-9._-]+$/.test(name), `a service's name: ${name}`);
    for (const key of Object.keys(service)) expect(SERVICE.includes(key), `${name}: unknown key ${key}`);
    expect(service.build !== undefined || service.image !== undefined, `${name}: neither build nor image`);
    if (service.build !== undefined) {
      expect(existsSync(join(folder, service.build, "Dockerfile")), `${name}: no Dockerfile in ${service.build}`);
    }
    for (const [variable, value] of Object.entries(service.environment ?? {})) {
      expect(/^[A-Z_]+$/.test(variable), `${name}: variable ${variable}`);
      expect(
        typeof value === "string",
        `${name}: ${variable} is no text, and what a container gets is for YAML to decide`,
      );
    }
    for (const port of service.ports ?? []) {
      expect(typeof port === "string" && /^(?:[\d.]+:)?\d+:\d+$/.test(port), `${name}: port ${port}`);
    }
    for (const volume of service.volumes ?? []) {
      const [source = "", target = "", mode = "rw"] = volume.split(":");
      const known = source.startsWith("./") ? existsSync(join(folder, source)) : source in (file.volumes ?? {});
      expect(known, `${name}: no volume or folder ${source}`);
      expect(target.startsWith("/") && ["ro", "rw"].includes(mode), `${name}: volume ${volume}`);
    }
    const { network_mode: network = "host", ports: published = [] } = service;
    expect(["host", "none"].includes(network), `${name}: network_mode ${network}`);
    expect(service.network_mode === undefined || published.length === 0, `${name}: ports of its own, and network_mode`);
    expect(/^\d+(?:ms|s|m)$/.test(service.stop_grace_period ?? "1s"), `${name}: ${service.stop_grace_period}`);
  }
  return problems;
}

/** One service as a process of this machine. */
export class ComposeProcess {
  readonly #child: ChildProcess;
  #text = "";

  /** @param inPlace values that only a container could have, replaced */
  constructor(
    { command = "", environment }: ComposeService,
    folder: string,
    inPlace: Readonly<Record<string, string>>,
  ) {
    const [program = "", ...args] = command.split(" ");
    const env = { PATH: process.env["PATH"], ...environment, ...inPlace };
    this.#child = spawn(program, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#text += chunk;
      });
    }
  }

  get text(): string {
    return this.#text;
  }

  /** As `docker compose stop`. @returns the exit code, or the signal it ended by */
  async stop(): Promise<number | string | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 15_000);
    const [code, signal] = (await ended) as [number | null, string | null];
    clearTimeout(timer);
    return code ?? signal;
  }
}
