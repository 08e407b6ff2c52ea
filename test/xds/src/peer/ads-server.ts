/** A real go-control-plane, steered over HTTP: what it serves is set whole, and it keeps a log of what was said. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** A line of its log. */
export interface AdsEvent {
  readonly ev: "open" | "close" | "req" | "res";
  readonly stream: number;
  /** Type URL; of `open` too where the stream is not aggregated. */
  readonly type?: string;
  readonly delta?: boolean;
  readonly nonce?: string;
  readonly version?: string;
  readonly names?: readonly string[] | null;
  readonly sub?: readonly string[] | null;
  readonly unsub?: readonly string[] | null;
  readonly initial?: Readonly<Record<string, string>> | null;
  readonly removed?: readonly string[] | null;
  readonly nack?: string;
  readonly node?: string;
  readonly agent?: string;
  readonly features?: readonly string[];
  /** Resources in an answer. */
  readonly n?: number;
  /** Wall ms. */
  readonly at: number;
}

/** As protojson writes an Any. */
export type AnyJson = { readonly "@type": string } & Readonly<Record<string, unknown>>;

export class AdsServer implements AsyncDisposable {
  /** `host:port` */
  readonly address: string;
  readonly #admin: string;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, address: string, admin: string) {
    this.#process = process;
    this.address = address;
    this.#admin = admin;
  }

  /** @param address to listen on: a server that comes back has the address of the one before. @default a free port */
  static async start(binary: string, address = "127.0.0.1:0"): Promise<AdsServer> {
    const child = spawn(binary, ["-xds", address], { stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout });
    const [line] = await Promise.race([
      once(lines, "line"),
      once(child, "exit").then(() => Promise.reject(new Error(`ads did not start on ${address}`))),
    ]);
    const { xds, admin } = JSON.parse(line) as { xds: string; admin: string };
    return new AdsServer(child, xds, admin);
  }

  /** Serves these and nothing else from now on. */
  async set(version: string, resources: readonly AnyJson[]): Promise<void> {
    const body = JSON.stringify({ version, resources });
    const response = await fetch(`http://${this.#admin}/snapshot`, { method: "PUT", body });
    if (response.status !== 204) throw new Error(`ads refused the snapshot: ${await response.text()}`);
  }

  async log(): Promise<readonly AdsEvent[]> {
    const text = await (await fetch(`http://${this.#admin}/log`)).text();
    return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as AdsEvent]));
  }

  /** As a crash does. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
