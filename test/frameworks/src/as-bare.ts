/** One run of fixtures/as-bare in a process of its own, in the mesh one way or another, or in none. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { REGISTER } from "./app-process.js";
import type { Registry } from "./registry.js";

/** How the servers of the process come into the mesh. */
export type Way = "none" | "--import" | "--import, with an identity" | "attach" | "handler" | "plug-in";

export interface InboundCounts {
  readonly requests: number;
  readonly inFlight: number;
}

const PROGRAMS = fileURLToPath(new URL("../fixtures/as-bare/", import.meta.url));

/** A process of fixtures/as-bare without a mesh, or with one. */
export async function runProgram(
  [file, ...args]: readonly [file: string, ...args: string[]],
  way: Way,
  registry: Registry,
): Promise<{ readonly out: string; readonly errors: string; readonly code: number | null }> {
  const preload = isLoaded(way) ? ["--import", REGISTER] : [];
  const child = spawn(process.execPath, [...preload, join(PROGRAMS, file), ...args], {
    env: {
      PATH: process.env["PATH"],
      HOME: registry.folder,
      XDG_CACHE_HOME: join(registry.folder, ".cache"),
      TLS_PEM: registry.pem,
      ...(way !== "none" && {
        INMESH_CONFIG: registry.folder,
        INMESH_SERVICE: "as-bare",
        INMESH_PROPAGATION_DELAY_MS: "0",
        INMESH_IDENTITY: way === "--import, with an identity" ? "ca" : "off",
      }),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk) => {
    errors += chunk;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { out, errors, code };
}

export class Observed {
  readonly errors: string;
  readonly #found: ReadonlyMap<string, unknown>;

  constructor(out: string, errors: string) {
    this.errors = errors;
    const lines = out.split("\n").filter((line) => line !== "");
    this.#found = new Map(lines.map((line) => JSON.parse(line)).map(({ scenario, found }) => [scenario, found]));
  }

  /** As JSON, so that a difference shows as a line of text. */
  found(scenario: string): string {
    return JSON.stringify(this.#found.get(scenario) ?? `nothing was found: ${this.errors}`, undefined, 1);
  }

  /** What the mesh of the process says of its requests; undefined without one. */
  get inbound(): InboundCounts | undefined {
    return this.#found.get("inbound") as InboundCounts | undefined;
  }
}

function isLoaded(way: Way): boolean {
  return way.startsWith("--import");
}

export async function observe(suite: string, way: Way, registry: Registry): Promise<Observed> {
  const { out, errors } = await runProgram(["run.mjs", isLoaded(way) ? "none" : way, suite], way, registry);
  return new Observed(out, errors);
}
