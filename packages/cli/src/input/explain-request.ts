/** A request to be explained, from the command line or from a line of JSON. */

import type { ExplainRequest } from "@inmesh/core";
import { CliError, EXIT } from "../exit.js";
import { isLabels, isPort, parseObjectLine, readHeaders, readTexts } from "./request-values.js";

/** Who asks what. */
export interface AskedLine {
  readonly request: ExplainRequest;
  readonly from: string | undefined;
  /** Of the caller, in place of those its service has. */
  readonly labels: Readonly<Record<string, string>> | undefined;
}

/** @param lines headers as typed: `name: value` @throws {CliError} */
export function requestFromArguments(method: string, target: string, lines: readonly string[]): ExplainRequest {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(target) ? target : `http://${target}`;
  const { host, headers } = headersFromArguments(lines);
  return { method: method.toUpperCase(), url, ...(host !== undefined && { host }), headers };
}

export interface TypedHeaders {
  readonly host: string | undefined;
  /** The others, in lower case. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
}

/** @param headers as typed: `name: value` @throws {CliError} */
export function headersFromArguments(headers: readonly string[]): TypedHeaders {
  const lines = new Map<string, string[]>();
  for (const header of headers) {
    const colon = header.indexOf(":");
    const name = header.slice(0, Math.max(0, colon)).trim().toLowerCase();
    if (name === "") throw new CliError(EXIT.usage, `"${header}" is no header`, 'Write -H "name: value".');
    lines.set(name, [...(lines.get(name) ?? []), header.slice(colon + 1).trim()]);
  }
  const [host] = lines.get("host") ?? [];
  lines.delete("host");
  return { host, headers: Object.fromEntries(lines) };
}

/** One line of `--requests`. @returns a sentence when it is no request */
export function parseRequestLine(line: string): AskedLine | string {
  const value = parseObjectLine(line);
  if (typeof value === "string") return value;
  const text = readTexts(value, TEXTS);
  if (typeof text === "string") return text;
  if (text.url === undefined && text.host === undefined) return 'it has neither "url" nor "host"';
  const { port, headers, labels } = value;
  if (port !== undefined && port !== null && !isPort(port)) return '"port" is no number from 1 to 65535';
  const headerLines = headers === undefined || headers === null ? {} : readHeaders(headers);
  if (typeof headerLines === "string") return headerLines;
  if (labels !== undefined && !isLabels(labels)) return '"labels" is no object of texts';
  const { from, ...request } = text;
  return {
    request: { ...request, ...(isPort(port) && { port }), headers: headerLines },
    from,
    labels: isLabels(labels) ? labels : undefined,
  };
}

const TEXTS = ["method", "url", "path", "host", "scheme", "from"] as const;
