/** Programs of this suite, started as users start theirs, in a mesh of their own. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL("../../fixtures/tracing", import.meta.url));
export const MESH = ["--import", "@inmesh/node/register"];
export const OTEL = ["--import", "./otel.mjs"];

export interface Program {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly errors: () => string;
  readonly ended: Promise<number | string>;
}

export class Programs {
  readonly folder = mkdtempSync(join(tmpdir(), "inmesh-tracing-"));
  readonly #running: Program[] = [];

  run(args: readonly string[], service: string, env: Readonly<Record<string, string>> = {}): Program {
    const child = spawn(process.execPath, args, {
      cwd: HERE,
      env: {
        ...{ PATH: process.env["PATH"], HOME: this.folder, INMESH_CONFIG: this.folder, INMESH_SERVICE: service },
        ...{ INMESH_PROPAGATION_DELAY_MS: "0", ...env },
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let out = "";
    let errors = "";
    child.stdout.on("data", (chunk) => {
      out += chunk;
    });
    child.stderr.on("data", (chunk) => {
      errors += chunk;
    });
    const ended = once(child, "close").then(([code, signal]) => (code ?? signal) as number | string);
    const program = { child, out: () => out, errors: () => errors, ended };
    this.#running.push(program);
    return program;
  }

  /** Resolves when so many processes of the service are in the registry. */
  async registered(service: string, count = 1): Promise<void> {
    const directory = join(this.folder, ".workloads");
    const leases = (): number =>
      existsSync(directory)
        ? readdirSync(directory).filter((name) => name.includes(`.${service}.`) && name.endsWith(".yaml")).length
        : 0;
    await until(
      () => leases() >= count,
      () => `${service} to be registered: ${this.#said()}`,
    );
  }

  /** Resolves when each process has all these services in its configuration: a name that it does not know is asked of DNS. */
  async knowEachOther(services: readonly string[]): Promise<void> {
    const directory = join(this.folder, ".workloads");
    for (const lease of readdirSync(directory).filter((name) => name.endsWith(".yaml"))) {
      const admin = /https?:\/\/127\.0\.0\.1:\d+/.exec(readFileSync(join(directory, lease), "utf8"))?.[0];
      if (admin === undefined) throw new Error(`${lease} names no admin endpoint`);
      const known = async (): Promise<boolean> => {
        const snapshot = await (await fetch(`${admin}/snapshot`)).text();
        return services.every((service) => snapshot.includes(`${service}.default.svc`));
      };
      const deadline = Date.now() + 15_000;
      while (!(await known())) if (Date.now() > deadline) throw new Error(`${lease} does not know all of ${services}`);
    }
  }

  async close(): Promise<void> {
    for (const { child } of this.#running) if (child.exitCode === null) child.kill("SIGKILL");
    await Promise.all(this.#running.map(({ ended }) => ended));
    rmSync(this.folder, { recursive: true, force: true });
  }

  #said(): string {
    return this.#running.map(({ out, errors }) => out() + errors()).join("");
  }
}

/** @throws after 30 s, with what was waited for */
export async function until(holds: () => boolean, what: () => string): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`waited for ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What a program printed behind the word `called`. */
export async function called(program: Program): Promise<unknown> {
  const code = await program.ended;
  const found = /^called (.*)$/m.exec(program.out())?.[1];
  if (found === undefined) throw new Error(`ended with ${code}: ${program.out()}${program.errors()}`);
  return JSON.parse(found);
}
