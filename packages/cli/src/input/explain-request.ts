/** A request to be explained, from the command line or from a line of JSON. */

import type { ExplainRequest } from "@inmesh/core";
import { CliError, EXIT } from "../exit.js";

/** Who asks what. */
export interface AskedLine {
  readonly request: ExplainRequest;
  readonly from: string | undefined;
  /** Of the caller, in place of those its service has. */
  readonly labels: Readonly<Record<string, string>> | undefined;
}

/** @param headers as typed: `name: value` @throws {CliError} */
export function requestFromArguments(method: string, target: string, headers: readonly string[]): ExplainRequest {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(target) ? target : `http://${target}`;
  const lines = new Map<string, string[]>();
  for (const header of headers) {
    const colon = header.indexOf(":");
    const name = header.slice(0, Math.max(0, colon)).trim().toLowerCase();
    if (name === "") throw new CliError(EXIT.usage, `"${header}" is no header`, 'Write -H "name: value".');
    lines.set(name, [...(lines.get(name) ?? []), header.slice(colon + 1).trim()]);
  }
  const [host] = lines.get("host") ?? [];
  lines.delete("host");
  return { method: method.toUpperCase(), url, ...(host !== undefined && { host }), headers: Object.fromEntries(lines) };
}

/** One line of `--requests`. @returns a sentence when it is no request */
export function parseRequestLine(line: string): AskedLine | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return line.trim() === "" ? "the line is empty" : "the line is no JSON";
  }
  if (!isObject(value)) return "the line is no JSON object";
  const text: Partial<Record<(typeof TEXTS)[number], string>> = {};
  for (const field of TEXTS) {
    const found = value[field];
    if (found === undefined || found === null) continue;
    if (typeof found !== "string") return `"${field}" is no text`;
    text[field] = found;
  }
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

function readHeaders(value: unknown): Record<string, string | string[]> | string {
  if (!isObject(value)) return '"headers" is no object';
  const headers: Record<string, string | string[]> = Object.create(null);
  for (const [name, found] of Object.entries(value)) {
    if (typeof found === "string") headers[name] = found;
    else if (Array.isArray(found) && found.every((each) => typeof each === "string")) headers[name] = found;
    else if (typeof found === "number" || typeof found === "boolean") headers[name] = String(found);
    else return `header ${JSON.stringify(name)} is neither a text nor a list of texts`;
  }
  return headers;
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65_535;
}

function isLabels(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((label) => typeof label === "string");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
