/** Questions to the metadata service of a platform: plain HTTP to an address that never leaves the machine. */

import http from "node:http";
import { isIP } from "node:net";
import type { Clock } from "@inmesh/core";
import { withoutBrackets } from "@inmesh/core/internal";
import { isLinkLocal, isLoopback } from "../found-address.js";

/** What reads a platform's metadata is given. */
export interface PlatformContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}

export interface MetadataRequest {
  readonly method?: "GET" | "PUT";
  readonly headers?: Readonly<Record<string, string>>;
  /** Of the answer: what proves that the platform gave it. */
  readonly proof?: readonly [header: string, value: string];
}

/** A service on the machine answers in a few ms. */
const ANSWER_MS = 1_000;
const MOST_BYTES = 262_144;
/** Of EC2, in IPv6. */
const EC2_V6 = "fd00:ec2::254";

/**
 * An address that the environment gives, if it can be no other machine: whoever sets a variable must not learn, or say,
 * what is none of theirs.
 * @throws {Error} otherwise
 */
export function metadataBase(variable: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const host = withoutBrackets(url?.hostname ?? "");
  const stays = isLoopback(host) || isLinkLocal(host) || host === EC2_V6;
  if (url?.protocol === "http:" && url.username === "" && isIP(host) > 0 && stays) return text.replace(/\/+$/, "");
  throw new Error(`${variable} names no metadata service: expected http:// and a loopback or link-local address`);
}

/** @throws {Error} in one sentence */
export async function askMetadata(
  url: string,
  { clock }: PlatformContext,
  { method = "GET", headers = {}, proof }: MetadataRequest = {},
): Promise<string> {
  const { host, pathname } = new URL(url);
  const ended = new AbortController();
  const timer = clock.hold(ANSWER_MS, () => ended.abort());
  // An agent of its own: no proxy that the environment names, no connection kept.
  const agent = new http.Agent();
  try {
    const request = http.request(url, { method, agent, headers: { ...headers, accept: "*/*" }, signal: ended.signal });
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      request.on("response", resolve).on("error", reject).end();
    });
    const text = await readText(response);
    if (response.statusCode !== 200) throw new Refused(`${host} answered ${response.statusCode} to ${pathname}`);
    if (proof !== undefined && response.headers[proof[0]] !== proof[1]) throw new Refused(`${host} is another service`);
    return text.trim();
  } catch (error) {
    if (error instanceof Refused) throw error;
    if (ended.signal.aborted) throw new Error(`${host} did not answer within ${ANSWER_MS} ms`);
    throw new Error(`${host} cannot be asked (${codeOf(error)})`);
  } finally {
    timer.cancel();
    agent.destroy();
  }
}

/** @throws {Error} in one sentence */
export async function askMetadataJson(
  url: string,
  context: PlatformContext,
  request: MetadataRequest = {},
): Promise<Readonly<Record<string, unknown>>> {
  const text = await askMetadata(url, context, request);
  try {
    return recordOf(JSON.parse(text));
  } catch {
    throw new Error(`${new URL(url).host} answered with something that is no JSON`);
  }
}

export function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** @throws {Error} when it is no IP address: whatever answered is no metadata service */
export function addressOf(value: unknown, source: string): string {
  if (typeof value === "string" && isIP(value) > 0) return value;
  throw new Error(`${source} names no address`);
}

/** @throws {Error} when it is no name of a place */
export function placeOf(value: unknown, source: string): string {
  if (typeof value === "string" && /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/.test(value)) return value;
  throw new Error(`${source} names no place`);
}

class Refused extends Error {}

async function readText(response: http.IncomingMessage): Promise<string> {
  let text = "";
  for await (const part of response.setEncoding("utf8")) {
    text += part;
    if (text.length > MOST_BYTES) throw new Refused("the answer is longer than any metadata");
  }
  return text;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
