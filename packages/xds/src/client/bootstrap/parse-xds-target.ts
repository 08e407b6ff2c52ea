/**
 * `xds://istiod.istio-system:15012?profile=api`: the control plane as a registry.
 *
 * Without a host (`xds://`), the bootstrap file of gRPC's clients says which one. `xds://unix:/path` is a socket of this
 * machine, such as the one of the Istio agent.
 */

import { isIPv4 } from "node:net";
import { MeshError } from "@inmesh/core";
import type { AdsMode } from "../ads/transport.js";
import { type Bootstrap, parseBootstrap } from "./bootstrap.js";
import { PROFILE_MODES, type XdsProfile, type XdsServer, type XdsServerTls, type XdsTarget } from "./target.js";

export interface ParseXdsTargetOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** @throws what is in the way */
  readFile(path: string): string;
}

/** What is asked for, whichever server is asked. */
const OF_QUESTIONS = ["profile", "mode", "unnamed-servers", "cluster"];
/** Of a server that the URL names. */
const OF_SERVERS = ["tls", "ca", "cert", "key", "identity", "token", "server-name", "fallback"];
const PARAMETERS = [...OF_QUESTIONS, ...OF_SERVERS];

/** What Istio's agent writes into the bootstraps that it makes. */
const ISTIO_SERVER_LISTENER = "xds.istio.io/grpc/lds/inbound/%s";

/** Of istiod: over TLS, and in plain text. */
const [TLS_PORT, PLAIN_PORT] = ["15012", "15010"];

/** @throws {MeshError} CONFIG_INVALID: what is wrong in the URL or the bootstrap, and what is expected there */
export function parseXdsTarget(url: string, options: ParseXdsTargetOptions): XdsTarget {
  const [, place = "", query = ""] = /^xds:\/\/([^?]*)\??(.*)$/is.exec(url) ?? fail(url, "expected xds://host:port");
  const parameters = new Parameters(url, query);
  const profile = parameters.one<XdsProfile>("profile", ["api", "envoy", "grpc"]) ?? "api";
  const mode = parameters.one<AdsMode>("mode", ["sotw", "delta"]) ?? PROFILE_MODES[profile];
  const unnamed = parameters.one("unnamed-servers", ["refuse", "accept"]);
  if (unnamed !== undefined && profile === "api") {
    fail(url, "unnamed-servers is about Envoy's clusters, which profile=envoy and profile=grpc ask for");
  }
  const cluster = parameters.get("cluster");
  const bootstrap = place === "" || place === "/" ? readBootstrap(url, parameters, options) : undefined;
  return {
    profile,
    mode,
    cluster,
    acceptsUnnamed: unnamed === "accept",
    ...(bootstrap ?? {
      servers: [place, ...parameters.all("fallback")].map((each) => serverOf(url, each, parameters)),
      authorities: new Map(),
      node: {},
      listenerTemplate: "%s",
      serverListenerTemplate: ISTIO_SERVER_LISTENER,
      certificates: new Map(),
      unusable: [],
    }),
  };
}

function readBootstrap(url: string, parameters: Parameters, { env, readFile }: ParseXdsTargetOptions): Bootstrap {
  const own = OF_SERVERS.find((name) => parameters.get(name) !== undefined);
  if (own !== undefined) fail(url, `${own} is for a server that the URL names; here the bootstrap file names it`);
  const path = env["GRPC_XDS_BOOTSTRAP"];
  if (path) {
    let text: string;
    try {
      text = readFile(path);
    } catch (cause) {
      throw new MeshError("CONFIG_INVALID", `GRPC_XDS_BOOTSTRAP=${path} cannot be read: ${(cause as Error).message}`, {
        cause,
      });
    }
    return parseBootstrap(text, `GRPC_XDS_BOOTSTRAP=${path}`);
  }
  const text = env["GRPC_XDS_BOOTSTRAP_CONFIG"];
  if (text) return parseBootstrap(text, "GRPC_XDS_BOOTSTRAP_CONFIG");
  return fail(url, "it names no server; expected xds://host:port, or GRPC_XDS_BOOTSTRAP to name a bootstrap file");
}

function serverOf(url: string, place: string, parameters: Parameters): XdsServer {
  const { address, isLocal, port } = addressOf(url, place);
  const tokenFile = parameters.get("token");
  const tls = tlsOf(url, parameters, { isLocal, port, hasToken: tokenFile !== undefined });
  if (tls === undefined && tokenFile !== undefined) {
    fail(url, "token needs TLS: anybody on the way could read it; leave tls=off out, or the token");
  }
  return { address, tls, tokenFile, features: new Set() };
}

interface Address {
  readonly address: string;
  readonly port: string;
  readonly isLocal: boolean;
}

function addressOf(url: string, place: string): Address {
  if (place.startsWith("unix:")) {
    const path = place.slice("unix:".length).replace(/^\/\/(?=\/)/, "");
    if (!path.startsWith("/"))
      fail(url, `a socket has an absolute path, as in xds://unix:/run/xds.sock; found ${path}`);
    return { address: `unix:${path}`, port: "", isLocal: true };
  }
  if (place.includes("@")) fail(url, "whoever asks is known by token=FILE or cert=FILE, and not by a name before an @");
  const [, host, port = TLS_PORT] = /^(\[[0-9a-f:.]+\]|[^:/[\]@]+)(?::(\d+))?\/?$/i.exec(place) ?? [];
  if (host === undefined || Number(port) > 65_535 || Number(port) === 0) {
    return fail(url, `found ${place}, expected host:port, [IPv6]:port or unix:/path`);
  }
  const isLocal = host === "localhost" || host === "[::1]" || (isIPv4(host) && host.startsWith("127."));
  return { address: `${host}:${port}`, port, isLocal };
}

interface Surroundings {
  readonly isLocal: boolean;
  readonly port: string;
  readonly hasToken: boolean;
}

function tlsOf(
  url: string,
  parameters: Parameters,
  { isLocal, port, hasToken }: Surroundings,
): XdsServerTls | undefined {
  const [caFile, certFile, keyFile] = ["ca", "cert", "key"].map((name) => parameters.get(name));
  const serverName = parameters.get("server-name");
  const meshIdentity = parameters.one("identity", ["mesh"]) !== undefined;
  if ((certFile === undefined) !== (keyFile === undefined)) fail(url, "cert and key go together");
  if (meshIdentity && certFile !== undefined) fail(url, "identity=mesh and cert exclude each other");
  const needsTls = hasToken || meshIdentity || [caFile, certFile, serverName].some((each) => each !== undefined);
  // What nobody said is safe: plain text only where it is known to be so, or stays on this machine.
  const isOn = needsTls || port === TLS_PORT || !(isLocal || port === PLAIN_PORT);
  const said = parameters.one("tls", ["on", "off"]);
  if (said === "off" && needsTls && !hasToken) fail(url, "tls=off, and a parameter that has a meaning only with TLS");
  if (said === undefined ? !isOn : said === "off") return undefined;
  return { caFile, certFile, keyFile, serverName, meshIdentity };
}

class Parameters {
  readonly #url: string;
  readonly #values: URLSearchParams;

  constructor(url: string, query: string) {
    this.#url = url;
    this.#values = new URLSearchParams(query);
    for (const name of new Set(this.#values.keys())) {
      if (!PARAMETERS.includes(name)) fail(url, `the parameter ${name} is unknown, expected ${PARAMETERS.join(", ")}`);
      if (name !== "fallback" && this.all(name).length > 1) fail(url, `${name} is there more than once`);
    }
  }

  get(name: string): string | undefined {
    const value = this.#values.get(name) ?? undefined;
    if (value === "") fail(this.#url, `${name} is empty`);
    return value;
  }

  all(name: string): readonly string[] {
    return this.#values.getAll(name);
  }

  one<Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined {
    const value = this.get(name);
    if (value === undefined || choices.includes(value as Choice)) return value as Choice | undefined;
    return fail(this.#url, `${name}=${value}, expected ${choices.join(" or ")}`);
  }
}

function fail(url: string, problem: string): never {
  throw new MeshError(
    "CONFIG_INVALID",
    `${url.replace(/token=[^&]*/gi, "token=…").replace(/\/\/[^?]*@/, "//")}: ${problem}`,
  );
}
