/**
 * Where a process is asked about itself. The address comes from a lease, a file that another process wrote: only loopback is
 * contacted unless the user says otherwise, and on another machine only who proves to be of the mesh.
 */

import { networkInterfaces } from "node:os";
import type { ConnectionOptions } from "node:tls";
import { withoutBrackets } from "@inmesh/core/internal";
import { parseSpiffeId } from "@inmesh/model";
import type { Operator } from "../login/operator.js";

/** A process did not answer as it should; the message is a phrase that says why. */
export class AdminError extends Error {
  override readonly name = "AdminError";
}

/** A host and a port, or a path. */
export interface Target {
  readonly host?: string;
  readonly port?: string;
  readonly socketPath?: string;
  /** Before the path. */
  readonly prefix?: string;
  /** Who asks, and who may answer; absent: in plaintext. */
  readonly tls?: Pick<ConnectionOptions, "cert" | "key" | "ca" | "checkServerIdentity">;
}

/** Of the views on an application's port. */
export const REMOTE_PATH = "/.inmesh";

export function statusText(path: string, status: number, secured: boolean): string {
  if (secured && status === 405) return "from another machine nothing is changed: ask on its own";
  if (!secured || (status !== 403 && status !== 404)) return `it answered ${path} with status ${status}`;
  return `it does not show ${path} (${status}): INMESH_REMOTE_ADMIN=true there, and an AuthorizationPolicy that names it for you`;
}

/** Members of the mesh are known by their SPIFFE ids, and not by the names of hosts. @throws {AdminError} */
export function secureTarget(admin: string, operator: Operator | undefined): Target {
  if (operator === undefined) throw new AdminError("nobody has logged in: inmesh login");
  const { hostname, port, pathname } = new URL(admin);
  const { certificate: cert, key, roots: ca, identity } = operator;
  const checkServerIdentity: ConnectionOptions["checkServerIdentity"] = (_, { subjectaltname = "" }) => {
    const [name = "", more] = subjectaltname.split(", ").filter((each) => each.startsWith("URI:"));
    const peer = more === undefined ? parseSpiffeId(name.slice("URI:".length)) : undefined;
    if (peer?.trustDomain === identity.trustDomain) return undefined;
    return new AdminError(`who answers is no member of ${identity.trustDomain}`);
  };
  return {
    ...{ host: withoutBrackets(hostname), port, prefix: pathname, tls: { cert, key, ca, checkServerIdentity } },
  };
}

/** An address of this machine. */
export function isHere(address: string): boolean {
  if (address === "127.0.0.1" || address === "::1") return true;
  return Object.values(networkInterfaces()).some((each) => each?.some((known) => known.address === address) === true);
}

/** @param admin `http://127.0.0.1:port`, or `unix:` and a path @throws {AdminError} */
export function parseAdmin(admin: string, remote: boolean): Target {
  if (admin.startsWith("unix:")) return { socketPath: admin.slice("unix:".length) };
  if (!URL.canParse(admin)) throw new AdminError("the admin address in its lease is no URL");
  const { protocol, hostname, host, port } = new URL(admin);
  if (protocol !== "http:") throw new AdminError(`the admin address in its lease is ${protocol}, expected http:`);
  if (!remote && !isLoopback(hostname)) {
    throw new AdminError(`its admin address ${host} is not on this machine; ask there, or add --remote`);
  }
  return { host: withoutBrackets(hostname), port: port || "80" };
}

/** Of a URL, which has brought every spelling of an address into one form. */
export function isLoopback(hostname: string): boolean {
  return (
    hostname === "localhost" || hostname === "[::1]" || hostname === "::1" || /^127\.\d+\.\d+\.\d+$/.test(hostname)
  );
}
