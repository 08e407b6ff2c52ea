/** For tests: runs a command line in this process, in a folder of its own, and keeps what it wrote. */

import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type LeaseSpec, systemClock } from "@inmesh/core";
import { FolderRegistry } from "@inmesh/core/folder";
import { parseDocuments, SCHEMA_VERSION } from "@inmesh/model";
import type { Prompter } from "../init/prompter.js";
import type { Io } from "../io.js";
import { run } from "../program.js";
import { VERSION } from "../version.js";

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as JSON. */
  json<T>(): T;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly stdin?: string;
  readonly env?: Io["env"];
  readonly signal?: AbortSignal;
  readonly isTTY?: boolean;
  readonly prompter?: Prompter;
}

export async function runCli(
  argv: readonly string[],
  {
    cwd = tmpdir(),
    stdin = "",
    env = {},
    signal = new AbortController().signal,
    isTTY = false,
    prompter,
  }: RunOptions = {},
): Promise<Outcome> {
  let stdout = "";
  let stderr = "";
  const code = await run(argv, {
    stdout: { write: (text) => (stdout += text), isTTY },
    stderr: { write: (text) => (stderr += text), isTTY },
    stdin: Object.assign(
      (async function* () {
        yield stdin;
      })(),
      { isTTY },
    ),
    env,
    cwd,
    clock: systemClock,
    user: "tester@here",
    signal,
    ...(prompter !== undefined && { prompter }),
  });
  return { code, stdout, stderr, json: () => JSON.parse(stdout) };
}

/** A folder that is gone at the end of the test. */
export class TemporaryFolder {
  readonly #root = mkdtempSync(join(tmpdir(), "inmesh-cli-"));
  /** One level down: what lies beside it is ours, too. */
  readonly path = join(this.#root, "work");

  constructor() {
    mkdirSync(this.path);
  }

  write(name: string, text: string, mode = 0o644): string {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  }

  read(name: string): string {
    return readFileSync(join(this.path, name), "utf8");
  }

  [Symbol.dispose](): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}

export type Answers = Readonly<Record<string, unknown>>;

/** A process of a mesh as the command meets it: a lease in the folder, and an admin endpoint that says what it is told. */
export class FakeProcess {
  /** By path; a function is called for each request, text is sent as it is. */
  answers: Answers;
  readonly asked: string[] = [];
  /** Of its admin endpoint. */
  url = "";
  readonly #close: () => Promise<void>;

  private constructor(answers: Answers, close: () => Promise<void>) {
    this.answers = answers;
    this.#close = close;
  }

  static async start(folder: string, lease: Partial<LeaseSpec>, answers: Answers = {}): Promise<FakeProcess> {
    const server = createServer((request, response) => {
      const path = (request.url ?? "").split("?")[0] ?? "";
      process_.asked.push(path);
      const answer = process_.answers[path];
      const body: unknown = typeof answer === "function" ? answer() : answer;
      response.statusCode = body === undefined ? 404 : 200;
      response.end(typeof body === "string" ? body : JSON.stringify(body ?? {}));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const registry = new FolderRegistry({ path: folder, parse: parseDocuments, onExit: () => () => {} });
    const { port } = server.address() as AddressInfo;
    const handle = await registry.register({ ...LEASE, admin: `http://127.0.0.1:${port}`, ...lease });
    const process_ = new FakeProcess(answers, async () => {
      await handle.remove();
      await registry.close();
      await new Promise((resolve) => server.close(resolve));
    });
    process_.url = `http://127.0.0.1:${port}`;
    return process_;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

const LEASE: LeaseSpec = {
  namespace: "shop",
  service: "web",
  instance: "web-1",
  address: "127.0.0.1",
  ports: [{ number: 8080, name: "http" }],
  labels: { app: "web", version: "v1" },
  pid: process.pid,
  ttlMs: 10_000,
  inmeshVersion: VERSION,
  schemaVersion: SCHEMA_VERSION,
};
