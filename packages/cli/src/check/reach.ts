/** The way to a server, step by step: name, connection, TLS. The first step that fails says why, the others are not tried. */

import { lookup } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { connect as connectSecurely, type PeerCertificate } from "node:tls";
import { type Clock, messageOf } from "@inmesh/core";
import { withoutBrackets } from "@inmesh/core/internal";
import type { XdsServer } from "@inmesh/xds/client";
import { systemReason } from "../exit.js";
import { formatMs } from "../output/format.js";
import { error, type Finding, ok } from "./section.js";

export interface ReachPorts {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export async function reach(ports: ReachPorts, server: XdsServer, timeoutMs: number): Promise<readonly Finding[]> {
  const { address } = server;
  const path = address.startsWith("unix:") ? address.slice("unix:".length) : undefined;
  const [, bracketed = "", port = "443"] = /^(.*?):(\d+)$/.exec(address.replace(/^dns:(?:\/\/[^/]*\/)?/, "")) ?? [];
  const host = withoutBrackets(bracketed);
  const findings: Finding[] = [];
  if (path === undefined) {
    try {
      const found = await lookup(host, { all: true });
      const addresses = found.map((each) => each.address);
      if (!addresses.includes(host)) findings.push(ok(`${host} is ${addresses.join(", ")}`));
    } catch (reason) {
      return [error(`${host} cannot be resolved: ${dnsReason(reason)}`, DNS)];
    }
  }
  const began = ports.clock.now();
  let socket: Socket;
  try {
    socket = await connected(
      path === undefined ? connect({ host, port: Number(port) }) : connect(path),
      ports,
      timeoutMs,
    );
  } catch (reason) {
    const why = systemReason(reason) ?? messageOf(reason);
    return [...findings, error(`${address} does not accept connections: ${why}`, path === undefined ? TCP : SOCKET)];
  }
  const took = formatMs(ports.clock.now() - began);
  findings.push(ok(`${address} accepts connections (${took})`));
  try {
    return [...findings, ...(await secured(socket, host, server, ports, timeoutMs))];
  } finally {
    socket.destroy();
  }
}

const DNS =
  "Check the name, and that this machine asks the resolver that knows it; within Kubernetes: istiod.istio-system.svc";
const TCP =
  "Is the control plane running, is the port right (istiod: 15010 in plain text, 15012 with TLS), is a firewall between?";
const SOCKET = "Is the agent running that makes this socket, and may you open it?";

async function secured(
  socket: Socket,
  host: string,
  { tls }: XdsServer,
  ports: ReachPorts,
  timeoutMs: number,
): Promise<readonly Finding[]> {
  if (tls === undefined) return [ok("in plain text, as the URL says")];
  const read = (file: string | undefined) => (file === undefined ? undefined : readFile(file).catch(() => undefined));
  const [ca, cert, key] = await Promise.all([tls.caFile, tls.certFile, tls.keyFile].map(read));
  const name = tls.serverName ?? host;
  const secure = connectSecurely({
    ...{ socket, servername: /^[\d.:]+$/.test(name) ? "" : name, host: name, ALPNProtocols: ["h2"] },
    ...(ca && { ca }),
    ...(cert && key && { cert, key }),
    rejectUnauthorized: false, // whether it may be trusted is told below, with what it shows
  });
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = ports.clock.after(timeoutMs, () => reject(new Error(`no handshake within ${formatMs(timeoutMs)}`)));
      secure.once("secureConnect", resolve);
      secure.once("error", reject);
      secure.once("close", () => reject(new Error("it ended the connection")));
      secure.once("close", () => timer.cancel());
    });
  } catch (reason) {
    return [error(`it takes no TLS: ${tlsReason(reason)}`, NO_TLS)];
  }
  const shown = secure.getPeerCertificate();
  const names = namesOf(shown);
  const left = Date.parse(shown.valid_to) - ports.clock.wallTime();
  const problem = secure.authorizationError as unknown;
  const code = problem instanceof Error ? ((problem as NodeJS.ErrnoException).code ?? problem.message) : problem;
  secure.destroy();
  if (code === undefined || code === null || code === "")
    return [ok(`its certificate is trusted: for ${names}, valid for ${formatMs(Math.max(0, left))}`)];
  const text = String(code);
  const advice = ADVICE[text] ?? "See its certificate with: openssl s_client -connect HOST:PORT";
  return [error(`its certificate is not trusted: ${WORDS[text] ?? text}; it is for ${names}`, advice)];
}

const NO_TLS = "Is this its port for TLS? In plain text: tls=off in the URL (istiod: port 15010).";

const ROOT =
  "Name the root of the mesh with ca=FILE; under Istio it is root-cert.pem of the ConfigMap istio-ca-root-cert.";
const NAME = "Name what its certificate is for with server-name=NAME, or use the address that it is for.";
const OLD = "Renew it, or set this machine's clock right.";
const WORDS: Readonly<Record<string, string>> = {
  ERR_TLS_CERT_ALTNAME_INVALID: "it is for another name",
  SELF_SIGNED_CERT_IN_CHAIN: "its root is none of those that are trusted here",
  DEPTH_ZERO_SELF_SIGNED_CERT: "it signed itself",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its root is none of those that are trusted here",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its root is none of those that are trusted here",
  CERT_HAS_EXPIRED: "it has expired",
  CERT_NOT_YET_VALID: "it is not valid yet",
};
const ADVICE: Readonly<Record<string, string>> = {
  ERR_TLS_CERT_ALTNAME_INVALID: NAME,
  SELF_SIGNED_CERT_IN_CHAIN: ROOT,
  DEPTH_ZERO_SELF_SIGNED_CERT: ROOT,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ROOT,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ROOT,
  CERT_HAS_EXPIRED: OLD,
  CERT_NOT_YET_VALID: OLD,
};

function namesOf({ subjectaltname = "", subject }: PeerCertificate): string {
  const names = subjectaltname.split(", ").filter(Boolean);
  return names.length > 0 ? names.slice(0, 4).join(", ") : (subject?.CN?.toString() ?? "no name");
}

function connected(socket: Socket, { clock, signal }: ReachPorts, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const fail = (reason: unknown): void => {
      end();
      socket.destroy();
      reject(reason);
    };
    const timer = clock.after(timeoutMs, () => fail(new Error(`no connection within ${formatMs(timeoutMs)}`)));
    const abort = (): void => fail(signal.reason);
    const end = (): void => {
      timer.cancel();
      signal.removeEventListener("abort", abort);
    };
    signal.addEventListener("abort", abort, { once: true });
    socket.once("connect", () => {
      end();
      socket.removeListener("error", fail);
      socket.on("error", () => {}); // told by whoever goes on with it
      resolve(socket);
    });
    socket.once("error", fail);
  });
}

function dnsReason(reason: unknown): string {
  const code = reason instanceof Error && "code" in reason ? String(reason.code) : "";
  if (code === "ENOTFOUND") return "no such name";
  return code === "EAI_AGAIN" ? "the resolver does not answer" : messageOf(reason);
}

function tlsReason(reason: unknown): string {
  const text = messageOf(reason);
  if (/wrong version number|packet length too long|record layer/i.test(text)) return "it answers in plain text";
  return systemReason(reason) ?? text;
}
