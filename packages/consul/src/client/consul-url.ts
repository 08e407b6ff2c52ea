/**
 * `consul://token@host:8500?dc=…&prefix=…&namespace=…` → which Consul. What the URL does not say Consul's own environment
 * variables do; `consul://` alone takes everything from there. No error shows the URL, since a token may be anywhere in it.
 */

import { isDnsLabel } from "@inmesh/core/internal";
import {
  addressOf,
  bare,
  type Environment,
  invalid,
  parsed,
  readText,
  refuseUnsupported,
  switchOf,
  tlsOf,
  tokenOf,
} from "./consul-environment.js";
import {
  type ConsulTarget,
  type ConsulTls,
  DEFAULT_NAMESPACE,
  DEFAULT_PREFIX,
  PLAIN_SCHEME,
  SECURE_SCHEME,
} from "./consul-target.js";

const PARAMETERS = [
  "dc",
  "prefix",
  "namespace",
  "tls",
  "ca",
  "cert",
  "key",
  "serverName",
  "warning",
  "queries",
  "entries",
] as const;
type Parameter = (typeof PARAMETERS)[number];
type Parameters = Partial<Record<Parameter, string>>;

const PORT = 8500;
const SECURE_PORT = 8501;
const EXPECTED = "expected consul://[token@]host[:port][?dc=…&prefix=…&namespace=…]";

/** Whether a registry of this name is a Consul. */
export function isConsulUrl(text: string): boolean {
  return /^consul(\+https)?:\/\//i.test(text);
}

/** @throws {MeshError} CONFIG_INVALID; the message has no token in it */
export function parseConsulUrl(text: string, env: Environment): ConsulTarget {
  refuseUnsupported(env);
  const url = parsed(text);
  if (url === undefined || !isConsulUrl(text)) throw invalid(`the registry's URL cannot be read: ${EXPECTED}`);
  if (url.pathname.length > 1)
    throw invalid(
      "the registry's URL has a path: keys are kept below the query parameter prefix, as in ?prefix=inmesh",
    );
  if (url.hash !== "") throw invalid(`the registry's URL has a "#": write it as %23 where it belongs to the token`);
  const given = parameters(url);
  const address = url.hostname === "" ? addressOf(env) : named(url);
  const secure = secureOf(url, given, address?.secure, env);
  const token = tokenIn(url) ?? tokenOf(env);
  const tls = secure ? tlsIn(given, env) : undefined;
  return {
    host: address?.host ?? "127.0.0.1",
    port: address?.port ?? (secure ? SECURE_PORT : PORT),
    secure,
    ...(token !== undefined && { token }),
    ...(given.dc && { dc: given.dc }),
    prefix: prefixOf(given.prefix),
    namespace: namespaceOf(given.namespace),
    ...(tls !== undefined && { tls }),
    ...(given.warning !== undefined && { warning: choice("warning", given.warning, ["in", "out"]) }),
    ...(given.queries && { queries: given.queries.split(",").filter((name) => name !== "") }),
    ...(given.entries !== undefined && { entries: choice("entries", given.entries, ["true", "false"]) === "true" }),
  };
}

function named(url: URL): { host: string; port?: number; secure?: boolean } {
  return { host: bare(decode(url.hostname)), ...(url.port !== "" && { port: Number(url.port) }) };
}

function tokenIn({ username, password }: URL): string | undefined {
  if (username !== "" && password !== "")
    throw invalid(`the registry's URL has a user and a password: expected a token alone (write a ":" in it as %3A)`);
  const token = decode(username || password);
  return token === "" ? undefined : token;
}

/** The scheme beats `tls`, which beats the address's own scheme, which beats CONSUL_HTTP_SSL. */
function secureOf(url: URL, { tls }: Parameters, ofAddress: boolean | undefined, env: Environment): boolean {
  const asked = tls === undefined ? undefined : choice("tls", tls, ["true", "false"]) === "true";
  if (url.protocol === SECURE_SCHEME && asked === false)
    throw invalid(`the registry's URL has the scheme ${SECURE_SCHEME.slice(0, -1)} and tls=false: leave one out`);
  const secure = url.protocol !== PLAIN_SCHEME || (asked ?? ofAddress ?? switchOf(env, "CONSUL_HTTP_SSL") ?? false);
  if (secure && switchOf(env, "CONSUL_HTTP_SSL_VERIFY") === false)
    throw invalid(
      "CONSUL_HTTP_SSL_VERIFY is false: Consul's certificate is always checked here, since its answers decide whom this process calls. Name its CA in CONSUL_CACERT or by ?ca=FILE, and the name in the certificate by ?serverName=",
    );
  return secure;
}

function tlsIn({ ca, cert, key, serverName }: Parameters, env: Environment): ConsulTls | undefined {
  const tls: ConsulTls = {
    ...tlsOf(env),
    ...(ca && { ca: readText(ca, "parameter ca") }),
    ...(cert && { cert: readText(cert, "parameter cert") }),
    ...(key && { key: readText(key, "parameter key") }),
    ...(serverName && { serverName }),
  };
  if ((tls.cert === undefined) !== (tls.key === undefined))
    throw invalid("a client certificate for Consul needs both its certificate and its key: one of the two is missing");
  return Object.keys(tls).length === 0 ? undefined : tls;
}

function parameters(url: URL): Parameters {
  const given: Parameters = {};
  for (const [name, value] of url.searchParams) {
    if (!isParameter(name)) throw invalid(`the registry's URL has a parameter that is not known${advice(name)}`);
    if (given[name] !== undefined) throw invalid(`the registry's URL has the parameter ${name} twice`);
    given[name] = value;
  }
  return given;
}

function isParameter(name: string): name is Parameter {
  return (PARAMETERS as readonly string[]).includes(name);
}

/** A token is what people try to give by a parameter; others are close to one there is. */
function advice(name: string): string {
  if (/token/i.test(name))
    return ", token: a token goes before the host, as in consul://token@host:8500, or into CONSUL_HTTP_TOKEN";
  const [nearest, distance] = PARAMETERS.map(
    (known) => [known, editDistance(name.toLowerCase(), known.toLowerCase())] as const,
  ).sort(([, a], [, b]) => a - b)[0]!; // there are parameters
  const shown = /^[\w.-]{1,30}$/.test(name) ? `, ${name}` : "";
  return `${shown}: ${distance <= Math.min(2, name.length / 2) ? `did you mean ${nearest}?` : `known are ${PARAMETERS.join(", ")}`}`;
}

function choice<Value extends string>(name: Parameter, value: string, values: readonly Value[]): Value {
  const found = values.find((each) => each === value);
  if (found === undefined) throw invalid(`the registry's URL has ${name}=${value}: expected ${values.join(" or ")}`);
  return found;
}

function prefixOf(text: string | undefined): string {
  const prefix = (text ?? DEFAULT_PREFIX).replace(/^\/+|\/+$/g, "");
  if (prefix === "") throw invalid("the registry's URL has an empty prefix: every key of the mesh stands below one");
  return prefix;
}

function namespaceOf(text = DEFAULT_NAMESPACE): string {
  if (!isDnsLabel(text))
    throw invalid(`the registry's URL has namespace=${text}: expected 1 to 63 of a-z, 0-9 and "-"`);
  return text;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid("the registry's URL has a % that begins no escape: write it as %25");
  }
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(
        (next[j - 1] ?? 0) + 1,
        (row[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
    row = next;
  }
  return row[b.length] ?? 0;
}
