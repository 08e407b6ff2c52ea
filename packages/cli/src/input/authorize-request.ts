/** A request to be judged, from the command line or from a line of JSON. */

import { isIP } from "node:net";
import type { AuthorizeRequest } from "@inmesh/core";
import { CliError, EXIT } from "../exit.js";
import { headersFromArguments } from "./explain-request.js";
import { isObject, isPort, parseObjectLine, readHeaders, readTexts } from "./request-values.js";

export interface AuthorizeArguments {
  readonly host?: string;
  readonly principal?: string;
  readonly sourceIp?: string;
  readonly remoteIp?: string;
  readonly claims?: string;
  readonly sni?: string;
  readonly header?: readonly string[];
}

/** @throws {CliError} */
export function authorizeFromArguments(method: string, target: string, given: AuthorizeArguments): AuthorizeRequest {
  const { host, claims, header = [], ...texts } = given;
  const { host: named, headers } = headersFromArguments(header);
  const value: Record<string, unknown> = { method, headers, ...texts };
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(target)) value["url"] = target;
  else value["path"] = target;
  if ((host ?? named) !== undefined) value["host"] = host ?? named;
  if (claims !== undefined) value["claims"] = parsed(claims);
  const request = readAuthorizeRequest(value);
  if (typeof request !== "string") return request.request;
  throw new CliError(EXIT.usage, request, "See: inmesh authz --help");
}

/** One line of `--requests`. @returns a sentence when it is no request */
export function parseAuthorizeLine(line: string): AuthorizeLine | string {
  const value = parseObjectLine(line);
  return typeof value === "string" ? value : readAuthorizeRequest(value);
}

export interface AuthorizeLine {
  readonly request: AuthorizeRequest;
  /** Workload that is called, in place of `--to`. */
  readonly to: string | undefined;
}

const TEXTS = [
  "method",
  "url",
  "path",
  "host",
  "principal",
  "sourceIp",
  "remoteIp",
  "destinationIp",
  "sni",
  "to",
] as const;
const ADDRESSES = ["sourceIp", "remoteIp", "destinationIp"] as const;

function readAuthorizeRequest(value: Record<string, unknown>): AuthorizeLine | string {
  const text = readTexts(value, TEXTS);
  if (typeof text === "string") return text;
  for (const field of ADDRESSES) {
    const address = text[field];
    if (address !== undefined && isIP(address) === 0)
      return `"${field}" is ${JSON.stringify(address)}, which is no address`;
  }
  const { port, headers, claims, protocol } = value;
  if (port !== undefined && port !== null && !isPort(port)) return '"port" is no number from 1 to 65535';
  if (claims !== undefined && claims !== null && !isObject(claims)) return '"claims" is no object';
  if (protocol !== undefined && protocol !== "http" && protocol !== "tcp")
    return '"protocol" is neither "http" nor "tcp"';
  const headerLines = headers === undefined || headers === null ? {} : readHeaders(headers);
  if (typeof headerLines === "string") return headerLines;
  const { to, ...request } = text;
  return {
    to,
    request: {
      ...request,
      headers: headerLines,
      ...(isPort(port) && { port }),
      ...(isObject(claims) && { claims }),
      ...(protocol !== undefined && { protocol }),
    },
  };
}

function parsed(claims: string): unknown {
  try {
    return JSON.parse(claims);
  } catch {
    throw new CliError(EXIT.usage, "the claims are no JSON", `Write --claims '{"iss":"https://issuer","sub":"ann"}'.`);
  }
}
