/**
 * Asks a process about itself through its admin endpoint. The address comes from a lease, a file that another process
 * wrote: only loopback is contacted unless the user says otherwise, for a bounded time and a bounded answer.
 */

import { request } from "node:http";
import type { Clock } from "@inmesh/core";
import type { Cli } from "../cli.js";
import { systemReason } from "../exit.js";
import { formatMs } from "../output/format.js";
import { EventText } from "./event-text.js";

export interface AdminClientOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Longest wait for one answer, in ms. @default 2_000 */
  readonly timeoutMs?: number;
  /** Contacts hosts that are not this machine, too. @default false */
  readonly remote?: boolean;
  /** Of endpoints on other machines (INMESH_ADMIN_TOKEN). @default none is sent */
  readonly token?: string | undefined;
  /** Told of each question that was answered or not, for `--verbose`. */
  readonly trace?: (line: string) => void;
}

/** A process did not answer as it should; the message is a phrase that says why. */
export class AdminError extends Error {
  override readonly name = "AdminError";
}

const MAX_BYTES = 64 * 1024 * 1024;

/** What an endpoint asks of whoever changes something. */
const WRITES = { "x-inmesh-admin": "1" };
/** Longest wait for one answer, in ms. */
const ANSWER_MS = 2_000;

/** For a command: bounded by its `--timeout`, stopped by Ctrl-C, told of under `--verbose`. */
export function adminClient(
  { io: { clock, signal, env }, trace }: Cli,
  { remote = false, timeout }: { readonly remote?: boolean; readonly timeout: number },
): AdminClient {
  const token = env["INMESH_ADMIN_TOKEN"] || undefined;
  return new AdminClient({ clock, signal, trace, remote, token, timeoutMs: Math.min(ANSWER_MS, timeout) });
}

export class AdminClient {
  readonly #options: AdminClientOptions;

  constructor(options: AdminClientOptions) {
    this.#options = options;
  }

  /**
   * @param admin `http://127.0.0.1:port` or `unix:/path`, from the lease
   * @param fields that the answer must have, so that something else on the port is not taken for the process
   * @throws {AdminError} or `signal.reason`
   */
  read<View>(admin: string, path: string, fields: readonly (keyof View & string)[]): Promise<View> {
    return this.#ask("GET", admin, path, fields);
  }

  /** Changes something in the process; otherwise as `read`. */
  write<View>(admin: string, path: string, fields: readonly (keyof View & string)[]): Promise<View> {
    return this.#ask("POST", admin, path, fields);
  }

  async #ask<View>(
    method: "GET" | "POST",
    admin: string,
    path: string,
    fields: readonly (keyof View & string)[],
  ): Promise<View> {
    const { remote = false, clock, trace = () => {} } = this.#options;
    const askedAt = clock.now();
    const text = await this.#send(method, parseAdmin(admin, remote), path).catch((error: unknown) => {
      trace(`asked ${admin}${path}: ${error instanceof Error ? error.message : String(error)}`);
      throw error;
    });
    trace(`asked ${admin}${path}: ${text.length} characters after ${formatMs(clock.now() - askedAt)}`);
    let answer: unknown;
    try {
      answer = JSON.parse(text);
    } catch {
      throw new AdminError("it answered something that is no JSON");
    }
    const isView = typeof answer === "object" && answer !== null && fields.every((field) => field in answer);
    if (!isView) throw new AdminError(`its answer to ${path} lacks what this version expects`);
    return answer as View;
  }

  /**
   * Server-Sent Events of a page that goes on. Resolves when the process ends it, and when `signal` aborts.
   * @param onEvent its name and its data
   * @throws {AdminError} when it cannot be opened, or breaks
   */
  events(admin: string, path: string, onEvent: (name: string, data: unknown) => void): Promise<void> {
    const { remote = false, clock, signal, timeoutMs = ANSWER_MS } = this.#options;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return resolve();
      const target = parseAdmin(admin, remote);
      const fail = (error: Error): void => {
        timer.cancel();
        signal.removeEventListener("abort", abort);
        if (signal.aborted) resolve();
        else reject(error instanceof AdminError ? error : new AdminError(systemReason(error) ?? error.message));
      };
      const call = request({ ...target, path, agent: false, headers: this.#headers(target) }, (answer) => {
        timer.cancel();
        if (answer.statusCode !== 200) {
          answer.resume();
          return fail(new AdminError(`it answered ${path} with status ${answer.statusCode}`));
        }
        answer.setEncoding("utf8");
        const events = new EventText(onEvent);
        answer.on("data", (text: string) => {
          if (!events.add(text)) call.destroy(new AdminError("an event of it is too large"));
        });
        answer.on("error", fail);
        answer.on("end", () => {
          signal.removeEventListener("abort", abort);
          resolve();
        });
      });
      const abort = (): void => void call.destroy();
      const timer = clock.after(timeoutMs, () => call.destroy(new AdminError(`no answer within ${timeoutMs} ms`)));
      signal.addEventListener("abort", abort, { once: true });
      call.on("error", fail);
      call.end();
    });
  }

  #headers({ host }: Target): Record<string, string> {
    const { token } = this.#options;
    const isElsewhere = host !== undefined && !isLoopback(host);
    return {
      accept: "application/json",
      ...(isElsewhere && token !== undefined && { authorization: `Bearer ${token}` }),
    };
  }

  #send(method: string, target: Target, path: string): Promise<string> {
    const { clock, signal, timeoutMs = ANSWER_MS } = this.#options;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      // No agent: the command ends, so no connection is worth keeping.
      const call = request(
        {
          ...target,
          method,
          path,
          agent: false,
          headers: { ...this.#headers(target), ...(method === "POST" && WRITES) },
        },
        (answer) => {
          const chunks: Buffer[] = [];
          let bytes = 0;
          answer.on("data", (chunk: Buffer) => {
            bytes += chunk.length;
            chunks.push(chunk);
            if (bytes > MAX_BYTES) call.destroy(new AdminError(`its answer is larger than ${MAX_BYTES} bytes`));
          });
          answer.on("error", fail);
          answer.on("end", () => {
            finish();
            if (answer.statusCode === 200) resolve(Buffer.concat(chunks).toString("utf8"));
            else reject(new AdminError(`it answered ${path} with status ${answer.statusCode}`));
          });
        },
      );
      const abort = (): void => void call.destroy(signal.reason);
      const timer = clock.after(timeoutMs, () => call.destroy(new AdminError(`no answer within ${timeoutMs} ms`)));
      const finish = (): void => {
        timer.cancel();
        signal.removeEventListener("abort", abort);
      };
      const fail = (error: Error): void => {
        finish();
        if (signal.aborted) reject(signal.reason);
        else reject(error instanceof AdminError ? error : new AdminError(systemReason(error) ?? error.message));
      };
      signal.addEventListener("abort", abort, { once: true });
      call.on("error", fail);
      call.end();
    });
  }
}

/** Options of node:http. */
interface Target {
  readonly host?: string;
  readonly port?: string;
  readonly socketPath?: string;
}

/** @param admin `http://127.0.0.1:port`, or `unix:` and a path @throws {AdminError} */
function parseAdmin(admin: string, remote: boolean): Target {
  if (admin.startsWith("unix:")) return { socketPath: admin.slice("unix:".length) };
  if (!URL.canParse(admin)) throw new AdminError("the admin address in its lease is no URL");
  const { protocol, hostname, host, port } = new URL(admin);
  if (protocol !== "http:") throw new AdminError(`the admin address in its lease is ${protocol}, expected http:`);
  if (!remote && !isLoopback(hostname)) {
    throw new AdminError(`its admin address ${host} is not on this machine; ask there, or add --remote`);
  }
  return { host: hostname.replace(/^\[|\]$/g, ""), port: port || "80" };
}

/** Of a URL, which has brought every spelling of an address into one form. */
export function isLoopback(hostname: string): boolean {
  return (
    hostname === "localhost" || hostname === "[::1]" || hostname === "::1" || /^127\.\d+\.\d+\.\d+$/.test(hostname)
  );
}
