/** What Consul's own environment variables say, as its command line reads them. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MeshError } from "@inmesh/core";
import { withoutBrackets } from "@inmesh/core/internal";
import type { ConsulTls } from "./consul-target.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where Consul listens; each part absent where the environment does not say. */
export interface ConsulAddress {
  readonly host: string;
  readonly port?: number;
  readonly secure?: boolean;
}

/** What these ask for is not to be had here: going on without would read other data, or as somebody else. */
const REFUSED: Readonly<Record<string, string>> = {
  CONSUL_NAMESPACE: "namespaces of Consul Enterprise are not supported",
  CONSUL_PARTITION: "partitions of Consul Enterprise are not supported",
  CONSUL_HTTP_AUTH: "basic authentication is not supported; a token is",
};

/** @throws {MeshError} CONFIG_INVALID for a variable that asks for what is not supported */
export function refuseUnsupported(env: Environment): void {
  for (const [name, reason] of Object.entries(REFUSED)) {
    const value = env[name];
    if (value === undefined || value === "" || (name !== "CONSUL_HTTP_AUTH" && value === "default")) continue;
    throw invalid(`${name} is set: ${reason}. Unset it for this process.`);
  }
}

/**
 * CONSUL_HTTP_ADDR: `host:port`, `host`, `http://…` or `https://…`.
 * @throws {MeshError} CONFIG_INVALID
 */
export function addressOf(env: Environment): ConsulAddress | undefined {
  const text = env["CONSUL_HTTP_ADDR"]?.trim();
  if (text === undefined || text === "") return undefined;
  if (text.startsWith("unix://"))
    throw invalid("CONSUL_HTTP_ADDR names a Unix socket: expected host:port, since Consul is asked over TCP here");
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== "http" && scheme !== "https")
    throw invalid(
      `CONSUL_HTTP_ADDR has the scheme ${scheme}: expected host:port, http://host:port or https://host:port`,
    );
  const url = parsed(scheme === undefined ? `http://${text}` : text);
  if (url === undefined || url.hostname === "" || url.username !== "" || url.pathname.length > 1)
    throw invalid("CONSUL_HTTP_ADDR is no address: expected host:port, http://host:port or https://host:port");
  // The URL leaves out what is its scheme's default; Consul's own default is another.
  const port = /:(\d+)\/?$/.exec(text)?.[1];
  return {
    host: bare(url.hostname),
    ...(port !== undefined && { port: Number(port) }),
    ...(scheme !== undefined && { secure: scheme === "https" }),
  };
}

/** The file's token beats the variable's, as with Consul's own client. @throws {MeshError} CONFIG_INVALID */
export function tokenOf(env: Environment): string | undefined {
  const file = env["CONSUL_HTTP_TOKEN_FILE"];
  const token = (file && readText(file, "CONSUL_HTTP_TOKEN_FILE").trim()) || env["CONSUL_HTTP_TOKEN"]?.trim();
  return token === "" ? undefined : token;
}

/** @throws {MeshError} CONFIG_INVALID */
export function switchOf(env: Environment, name: string): boolean | undefined {
  const value = env[name];
  if (value === undefined || value === "") return undefined;
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw invalid(`${name} is ${JSON.stringify(value)}: expected true or false`);
}

/** Certificates and keys by their files. @throws {MeshError} CONFIG_INVALID when one cannot be read */
export function tlsOf(env: Environment): ConsulTls {
  const { CONSUL_CACERT, CONSUL_CAPATH, CONSUL_CLIENT_CERT, CONSUL_CLIENT_KEY, CONSUL_TLS_SERVER_NAME } = env;
  const ca = CONSUL_CACERT ? readText(CONSUL_CACERT, "CONSUL_CACERT") : CONSUL_CAPATH && readFolder(CONSUL_CAPATH);
  return {
    ...(ca && { ca }),
    ...(CONSUL_CLIENT_CERT && { cert: readText(CONSUL_CLIENT_CERT, "CONSUL_CLIENT_CERT") }),
    ...(CONSUL_CLIENT_KEY && { key: readText(CONSUL_CLIENT_KEY, "CONSUL_CLIENT_KEY") }),
    ...(CONSUL_TLS_SERVER_NAME && { serverName: CONSUL_TLS_SERVER_NAME }),
  };
}

/** @param what names the file, for whoever has to mend it */
export function readText(file: string, what: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw unreadable(what, file, error);
  }
}

export function invalid(message: string): MeshError {
  return new MeshError("CONFIG_INVALID", message);
}

/** Without the brackets that an IPv6 address has in a URL. */
export function bare(host: string): string {
  return withoutBrackets(host);
}

export function parsed(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

function readFolder(folder: string): string {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (error) {
    throw unreadable("CONSUL_CAPATH", folder, error);
  }
  const files = names.filter((name) => /\.(pem|crt|cer)$/i.test(name));
  if (files.length === 0) throw invalid(`CONSUL_CAPATH ${folder} holds no *.pem, *.crt or *.cer`);
  return files.map((name) => readText(join(folder, name), "CONSUL_CAPATH")).join("\n");
}

function unreadable(what: string, path: string, error: unknown): MeshError {
  const reason = error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);
  return invalid(`${what} ${path} cannot be read: ${reason}`);
}
