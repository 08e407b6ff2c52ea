/** Two replicas of a server of each framework under load, replaced one after the other. */

import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../../packages/node/test/until.js";
import { AppProcess } from "./app-process.js";
import type { Protocol } from "./ask.js";
import { serviceName } from "./frameworks.js";
import { finishLoad, type LoadResult } from "./load.js";
import type { Registry } from "./registry.js";

/** Requests per second to all replicas together. */
export const RATE = 300;
/** Frameworks of which a replica is being replaced at a time: each start of a process takes most of a core. */
const AT_ONCE = 3;
/** Requests that a process answers before anything happens to it or the next one. */
const ENOUGH = 10;

export interface Restarted extends LoadResult {
  readonly framework: string;
  /** Processes that were to serve: two old, two new. */
  readonly pids: readonly number[];
  /** What was wrong with how a replica ended. */
  readonly troubles: readonly string[];
}

type Kind = readonly [framework: string, protocol: Protocol];

export async function rollingRestarts(registry: Registry, kinds: readonly Kind[]): Promise<readonly Restarted[]> {
  const pairs = kinds.map((kind) => new Pair(registry, ...kind));
  const follow = setInterval(() => writeTargets(pairs), 100);
  const load = new AppProcess({
    ...{ registry, service: "caller" },
    program: ["load.mjs", `${RATE / pairs.length}`, ...pairs.map(({ url }) => url)],
  });
  try {
    await Promise.all(pairs.map((pair) => pair.start()));
    writeTargets(pairs);
    await load.printed(/ready/);
    const waiting = [...pairs];
    const next = async (): Promise<void> => {
      for (let pair = waiting.shift(); pair !== undefined; pair = waiting.shift()) await pair.restart();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
    const results = await finishLoad(load);
    return pairs.map(({ framework, pids, troubles }, at) => ({ framework, pids, troubles, ...results[at]! })); // one per URL
  } finally {
    clearInterval(follow);
    await Promise.all([load, ...pairs.flatMap(({ started }) => started)].map((app) => app[Symbol.asyncDispose]()));
  }
}

class Pair {
  readonly framework: string;
  readonly url: string;
  /** A client outside the mesh finds its targets in the file that `url` names. */
  readonly outside: boolean;
  readonly started: AppProcess[] = [];
  readonly troubles: string[] = [];
  readonly #registry: Registry;
  readonly #service: string;

  constructor(registry: Registry, framework: string, protocol: Protocol) {
    this.framework = framework;
    this.#registry = registry;
    this.#service = serviceName(framework);
    this.outside = protocol !== "http";
    this.url = this.outside ? join(registry.folder, `${this.#service}.targets`) : `http://${this.#service}/slow?ms=20`;
  }

  get pids(): readonly number[] {
    return this.started.map(({ pid }) => pid);
  }

  get ports(): readonly number[] {
    return this.#registry.leases(this.#service).flatMap(({ ports }) => Object.values(ports));
  }

  async start(): Promise<void> {
    await Promise.all([this.#add(), this.#add()]);
  }

  async restart(): Promise<void> {
    for (const old of this.started.slice(0, 2)) {
      await this.#serves(old);
      old.child.kill("SIGTERM");
      const [next, { code, signal }] = await Promise.all([this.#add(), old.exited]);
      if (signal !== "SIGTERM") this.troubles.push(`${old.pid} ended with ${code} ${signal}`);
      if (old.errors !== "") this.troubles.push(`${old.pid} said ${old.errors}`);
      await this.#serves(next);
    }
  }

  async #serves({ pid }: AppProcess): Promise<void> {
    await until(async () => (await this.#requests(pid)) > ENOUGH);
  }

  async #add(): Promise<AppProcess> {
    const app = new AppProcess({
      ...{ registry: this.#registry, service: this.#service },
      program: ["app.mjs", this.framework],
    });
    this.started.push(app);
    await app.port();
    await until(() => this.#lease(app.pid));
    return app;
  }

  #lease(pid: number) {
    return this.#registry.leases(this.#service).find((lease) => lease.pid === pid);
  }

  async #requests(pid: number): Promise<number> {
    return (await (await fetch(`${this.#lease(pid)?.admin}/stats`)).json()).inbound.requests;
  }
}

/** What a client with service discovery would know. Renamed into place, so that nobody reads half of it. */
function writeTargets(pairs: readonly Pair[]): void {
  for (const { outside, url, ports } of pairs) {
    if (!outside || ports.length === 0) continue;
    writeFileSync(`${url}.new`, ports.map((port) => `127.0.0.1:${port}\n`).join(""));
    renameSync(`${url}.new`, url);
  }
}
