/** Asks a process about itself, for a bounded time and a bounded answer. */

import type { Clock, Lease } from "@inmesh/core";
import { messageOf } from "@inmesh/core";
import type { Cli } from "../cli.js";
import { systemReason } from "../exit.js";
import { type Operator, readOperator } from "../login/operator.js";
import { formatMs } from "../output/format.js";
import { type Answer, exchange } from "./admin-exchange.js";
import {
  AdminError,
  isHere,
  isLoopback,
  parseAdmin,
  REMOTE_PATH,
  secureTarget,
  statusText,
  type Target,
} from "./admin-target.js";
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
  /** Who asks processes on other machines by their application's port (`inmesh login`); undefined: nobody has logged in. */
  readonly operator?: () => Promise<Operator | undefined>;
  /** Told of each question that was answered or not, for `--verbose`. */
  readonly trace?: (line: string) => void;
}

export { AdminError } from "./admin-target.js";

const MAX_BYTES = 64 * 1024 * 1024;

/** What an endpoint asks of whoever changes something. */
const WRITES = { "x-inmesh-admin": "1" };
/** Longest wait for one answer, in ms. */
const ANSWER_MS = 2_000;

/** For a command: bounded by its `--timeout`, stopped by Ctrl-C, told of under `--verbose`. */
export function adminClient(
  { io: { clock, signal, env }, trace }: Cli,
  { remote = false, timeout }: { readonly remote?: boolean; readonly timeout: number },
  until: AbortSignal = signal,
): AdminClient {
  const token = env["INMESH_ADMIN_TOKEN"] || undefined;
  let operator: Promise<Operator | undefined> | undefined;
  return new AdminClient({
    ...{ clock, signal: until, trace, remote, token, timeoutMs: Math.min(ANSWER_MS, timeout) },
    operator: () => (operator ??= readOperator(env)),
  });
}

export class AdminClient {
  readonly #options: AdminClientOptions;

  constructor(options: AdminClientOptions) {
    this.#options = options;
  }

  /**
   * Where to ask a process: its endpoint, or, on another machine and with a login, the port of its application.
   * @returns undefined: it has none
   * @throws {AdminError} when it is on another machine and cannot be asked there: what listens here at its address is somebody else
   */
  async addressOf({ admin, address, ports }: Lease): Promise<string | undefined> {
    const { remote = false, operator } = this.#options;
    if (!remote || address === "" || isHere(address)) return admin;
    const [port] = ports;
    const isLoggedIn = (await this.#operator(operator)) !== undefined;
    if (isLoggedIn && port !== undefined)
      return `https://${address.includes(":") ? `[${address}]` : address}:${port.number}${REMOTE_PATH}`;
    if (admin !== undefined && !admin.startsWith("unix:") && !isLoopback(hostOf(admin))) return admin;
    const why = isLoggedIn ? "it serves nothing by which it could be asked" : "log in first: inmesh login";
    throw new AdminError(`it is on another machine, ${address}: ${why}`);
  }

  async #operator(read: AdminClientOptions["operator"]): Promise<Operator | undefined> {
    try {
      return await read?.();
    } catch (error) {
      throw new AdminError(`the login cannot be used: ${(error as Error).message}; log in again`);
    }
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
    const text = await this.#text(method, admin, path);
    let answer: unknown;
    try {
      answer = JSON.parse(text);
    } catch {
      const hint = admin.startsWith("https:") ? "; the mesh answers there with INMESH_REMOTE_ADMIN=true" : "";
      throw new AdminError(`it answered something that is no JSON${hint}`);
    }
    const isView = typeof answer === "object" && answer !== null && fields.every((field) => field in answer);
    if (!isView) throw new AdminError(`its answer to ${path} lacks what this version expects`);
    return answer as View;
  }

  /** The answer as it is; otherwise as `read`. */
  text(admin: string, path: string): Promise<string> {
    return this.#text("GET", admin, path);
  }

  async #text(method: "GET" | "POST", admin: string, path: string): Promise<string> {
    const { clock, signal, trace = () => {} } = this.#options;
    const askedAt = clock.now();
    const over = this.#limited();
    try {
      const target = await this.#target(admin);
      const headers = { ...this.#headers(target), ...(method === "POST" && WRITES) };
      const answer = await exchange(target, { method, path, headers }, over.signal);
      const text = await wholeOf(answer);
      if (answer.status !== 200) throw new AdminError(statusText(path, answer.status, target.tls !== undefined));
      trace(`asked ${admin}${path}: ${text.length} characters after ${formatMs(clock.now() - askedAt)}`);
      return text;
    } catch (error) {
      trace(`asked ${admin}${path}: ${messageOf(error)}`);
      if (signal.aborted) throw signal.reason;
      throw asAdminError(error);
    } finally {
      over.end();
    }
  }

  /**
   * Server-Sent Events of a page that goes on. Resolves when the process ends it, and when `signal` aborts.
   * @param onEvent its name and its data
   * @throws {AdminError} when it cannot be opened, or breaks
   */
  async events(admin: string, path: string, onEvent: (name: string, data: unknown) => void): Promise<void> {
    const { signal, trace = () => {} } = this.#options;
    const over = this.#limited();
    try {
      const target = await this.#target(admin);
      trace(`watching ${admin}${path}`);
      const { status, body } = await exchange(
        target,
        { method: "GET", path, headers: this.#headers(target) },
        over.signal,
      );
      over.begun();
      if (status !== 200) {
        body.destroy();
        throw new AdminError(statusText(path, status, target.tls !== undefined));
      }
      const events = new EventText(onEvent);
      for await (const text of body.setEncoding("utf8")) {
        if (!events.add(text as string)) throw new AdminError("an event of it is too large");
      }
    } catch (error) {
      if (!signal.aborted) throw asAdminError(error);
    } finally {
      over.end();
    }
  }

  async #target(admin: string): Promise<Target> {
    const { remote = false, operator } = this.#options;
    return admin.startsWith("https:") ? secureTarget(admin, await this.#operator(operator)) : parseAdmin(admin, remote);
  }

  #headers({ host, tls }: Target): Record<string, string> {
    const { token } = this.#options;
    const isElsewhere = host !== undefined && !isLoopback(host);
    return {
      accept: "application/json",
      ...(isElsewhere && tls === undefined && token !== undefined && { authorization: `Bearer ${token}` }),
    };
  }

  /** Until `begun`, no longer than an answer may take; and no longer than the command. */
  #limited(): { readonly signal: AbortSignal; begun(): void; end(): void } {
    const { clock, signal, timeoutMs = ANSWER_MS } = this.#options;
    const over = new AbortController();
    const abort = (): void => over.abort(signal.reason);
    const timer = clock.after(timeoutMs, () => over.abort(new AdminError(`no answer within ${timeoutMs} ms`)));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    return {
      signal: over.signal,
      begun: () => timer.cancel(),
      end: () => {
        timer.cancel();
        signal.removeEventListener("abort", abort);
      },
    };
  }
}

async function wholeOf({ body }: Answer): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new AdminError(`its answer is larger than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function asAdminError(error: unknown): AdminError {
  return error instanceof AdminError ? error : new AdminError(systemReason(error) ?? messageOf(error));
}

function hostOf(admin: string): string {
  return URL.canParse(admin) ? new URL(admin).hostname : "";
}
