/**
 * Asks a process about itself through its admin endpoint. The address comes from a lease, a file that another process
 * wrote: only loopback is contacted unless the user says otherwise, for a bounded time and a bounded answer.
 */

import { request } from "node:http";
import { request as requestSecurely } from "node:https";
import { networkInterfaces } from "node:os";
import type { PeerCertificate } from "node:tls";
import type { Clock, Lease } from "@inmesh/core";
import { messageOf } from "@inmesh/core";
import { parseSpiffeId } from "@inmesh/model";
import type { Cli } from "../cli.js";
import { systemReason } from "../exit.js";
import { type Operator, readOperator } from "../login/operator.js";
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
  /** Who asks processes on other machines by their application's port (`inmesh login`); undefined: nobody has logged in. */
  readonly operator?: () => Promise<Operator | undefined>;
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
  let operator: Promise<Operator | undefined> | undefined;
  return new AdminClient({
    ...{ clock, signal, trace, remote, token, timeoutMs: Math.min(ANSWER_MS, timeout) },
    operator: () => (operator ??= readOperator(env)),
  });
}

export class AdminClient {
  readonly #options: AdminClientOptions;

  constructor(options: AdminClientOptions) {
    this.#options = options;
  }

  /** Where to ask a process: its endpoint, or, on another machine and with a login, the port of its application. */
  async addressOf({ admin, address, ports }: Lease): Promise<string | undefined> {
    const { remote = false, operator } = this.#options;
    const [port] = ports;
    if (!remote || port === undefined || isHere(address)) return admin;
    if ((await this.#operator(operator)) === undefined) return admin;
    return `https://${address.includes(":") ? `[${address}]` : address}:${port.number}${REMOTE_PATH}`;
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
      throw new AdminError("it answered something that is no JSON");
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
    const { remote = false, clock, trace = () => {} } = this.#options;
    const askedAt = clock.now();
    const target = admin.startsWith("https:")
      ? secureTarget(admin, await this.#operator(this.#options.operator))
      : parseAdmin(admin, remote);
    const text = await this.#send(method, target, `${target.prefix ?? ""}${path}`).catch((error: unknown) => {
      trace(`asked ${admin}${path}: ${messageOf(error)}`);
      throw error;
    });
    trace(`asked ${admin}${path}: ${text.length} characters after ${formatMs(clock.now() - askedAt)}`);
    return text;
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
      const { prefix: _, ...to } = target;
      const call = (target.cert === undefined ? request : requestSecurely)(
        {
          ...to,
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
            else reject(new AdminError(statusText(path, answer.statusCode, target.cert !== undefined)));
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
  /** Before the path. */
  readonly prefix?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  readonly checkServerIdentity?: (host: string, certificate: PeerCertificate) => Error | undefined;
}

/** Of the views on an application's port. */
const REMOTE_PATH = "/.inmesh";

function statusText(path: string, status: number | undefined, secured: boolean): string {
  if (!secured || (status !== 403 && status !== 404)) return `it answered ${path} with status ${status}`;
  return `it does not show ${path} (${status}): INMESH_REMOTE_ADMIN=true there, and an AuthorizationPolicy that names it for you`;
}

/** Members of the mesh are known by their SPIFFE ids, and not by the names of hosts. @throws {AdminError} */
function secureTarget(admin: string, operator: Operator | undefined): Target {
  if (operator === undefined) throw new AdminError("nobody has logged in: inmesh login");
  const { hostname, port, pathname } = new URL(admin);
  const { certificate: cert, key, roots: ca, identity } = operator;
  return {
    ...{ host: hostname.replace(/^\[|\]$/g, ""), port, prefix: pathname, cert, key, ca },
    checkServerIdentity: (_, { subjectaltname = "" }) => {
      const [name = "", more] = subjectaltname.split(", ").filter((each) => each.startsWith("URI:"));
      const peer = more === undefined ? parseSpiffeId(name.slice("URI:".length)) : undefined;
      if (peer?.trustDomain === identity.trustDomain) return undefined;
      return new AdminError(`who answers is no member of ${identity.trustDomain}`);
    },
  };
}

/** An address of this machine. */
function isHere(address: string): boolean {
  if (address === "127.0.0.1" || address === "::1") return true;
  return Object.values(networkInterfaces()).some((each) => each?.some((known) => known.address === address) === true);
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
