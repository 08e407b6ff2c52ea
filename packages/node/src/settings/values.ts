/** Text, or a value of inmesh.yaml or an option, → a setting's value. Pure; what is wrong comes back as a sentence. */

import { isIP } from "node:net";

export interface Invalid {
  /** What was expected. The caller says where and what was found. */
  readonly invalid: string;
}

export type ReadValue<Value> = (value: unknown) => Value | Invalid;

export interface Port {
  readonly name: string;
  readonly number: number;
}

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** Longest wait a setting may ask for, in ms: what a timer can hold. */
const LONGEST_MS = 2_147_483_647;

export function isInvalid(value: unknown): value is Invalid {
  return typeof value === "object" && value !== null && "invalid" in value && typeof value.invalid === "string";
}

export function text(value: unknown): string | Invalid {
  if (typeof value === "string" && value.trim() !== "") return value.trim();
  return typeof value === "number" ? String(value) : { invalid: "expected text" };
}

export function dnsLabel(value: unknown): string | Invalid {
  const label = text(value);
  if (typeof label === "string" && LABEL.test(label)) return label;
  return { invalid: 'expected a DNS label: 1 to 63 of a-z, 0-9 and "-", with a letter or digit at both ends' };
}

export function oneOf<const Name extends string>(...names: readonly Name[]): ReadValue<Name> {
  return (value) =>
    names.find((name) => name === value) ?? { invalid: `expected ${names.slice(0, -1).join(", ")} or ${names.at(-1)}` };
}

/** YAML 1.1 writes two of the words as booleans; `enforce` is what others call `on`. */
export function mode(value: unknown): "on" | "observe" | "off" | Invalid {
  if (value === true || value === "enforce") return "on";
  if (value === false) return "off";
  return oneOf("on", "observe", "off")(value);
}

/** In environments it is written in several ways. */
export function truth(value: unknown): boolean | Invalid {
  const word = String(value).toLowerCase();
  if (["true", "1", "yes", "on"].includes(word)) return true;
  return ["false", "0", "no", "off"].includes(word) ? false : { invalid: "expected true or false" };
}

/** Milliseconds; underscores and units are not read, because the name says the unit. */
export function duration(value: unknown): number | Invalid {
  const number = typeof value === "string" && /^\d+$/.test(value.trim()) ? Number(value) : value;
  if (typeof number === "number" && number >= 0 && number <= LONGEST_MS) return number;
  return { invalid: "expected a number of milliseconds, such as 500" };
}

/** More than all of something is none of it. */
export function percent(value: unknown): number | Invalid {
  const number = wholeNumber(value);
  return number !== undefined && number <= 100 ? number : { invalid: "expected a number from 0 to 100" };
}

export function count(value: unknown): number | Invalid {
  const number = wholeNumber(value);
  return number !== undefined && number >= 1 ? number : { invalid: "expected a whole number, at least 1" };
}

function wholeNumber(value: unknown): number | undefined {
  const number = typeof value === "string" && /^\d+$/.test(value.trim()) ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}

export function weight(value: unknown): number | Invalid {
  const number = wholeNumber(value) ?? 0;
  return number >= 1 && number <= 65_535 ? number : { invalid: "expected a whole number from 1 to 65535" };
}

export function port(value: unknown): number | Invalid {
  const number = wholeNumber(value) ?? 0;
  return number >= 1 && number <= 65_535 ? number : { invalid: "expected a port, 1 to 65535" };
}

export function httpUrl(value: unknown): string | Invalid {
  const url = typeof value === "string" ? value.trim() : "";
  return url.startsWith("http://") && URL.canParse(url) ? url : { invalid: "expected a URL that begins with http://" };
}

export function list(value: unknown): readonly string[] | Invalid {
  const items = typeof value === "string" ? value.split(",") : value;
  if (!Array.isArray(items)) return { invalid: "expected a list" };
  const texts = items.map((item) => (typeof item === "string" ? item.trim() : String(item)));
  return texts.filter((item) => item !== "");
}

/** `x-tenant,x-user`; in lower case. */
export function headerNames(value: unknown): readonly string[] | Invalid {
  const items = list(value);
  if (isInvalid(items)) return items;
  const names = items.map((item) => item.toLowerCase());
  const wrong = names.find((name) => !TOKEN.test(name) || OF_ONE_MESSAGE.test(name));
  return wrong === undefined ? names : { invalid: `"${wrong}" is no header that can be handed on` };
}

/** RFC 9110 §5.1. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** They are about one connection or one message (RFC 9110 §7.6.1), or the mesh's own. */
const OF_ONE_MESSAGE =
  /^(?:host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|content-.+|proxy-.+|x-inmesh-.+)$/;

/** `127.0.0.1,10.0.0.0/8,fd00::/8`. */
export function blocks(value: unknown): readonly string[] | Invalid {
  const items = list(value);
  if (isInvalid(items)) return items;
  const wrong = items.find((item) => !isBlock(item));
  return wrong === undefined
    ? items
    : { invalid: `"${wrong}" is neither an IP address nor a block such as 10.0.0.0/8` };
}

function isBlock(item: string): boolean {
  const [address = "", bits] = item.split(/\/(.*)/s);
  const family = isIP(address);
  return family !== 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32)));
}

/** `none`, or an empty list, switches every seam off. */
export function seams<Seam extends string>(all: readonly Seam[]): ReadValue<readonly Seam[]> {
  return (value) => {
    const items = list(value);
    if (isInvalid(items)) return items;
    if (items.length === 1 && items[0] === "none") return [];
    const known = items.filter((item): item is Seam => all.includes(item as Seam));
    return known.length === items.length ? known : { invalid: `expected some of ${all.join(", ")}, or none` };
  };
}

/** `version=v2,tier=web`, or a mapping. */
export function labels(value: unknown): Readonly<Record<string, string>> | Invalid {
  const found: Record<string, string> = Object.create(null);
  const pairs =
    typeof value === "string"
      ? value.split(",").flatMap((pair) => (pair.trim() === "" ? [] : [splitOnce(pair, "=")]))
      : typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.entries(value)
        : [undefined];
  for (const pair of pairs) {
    if (pair === undefined) return { invalid: "expected key=value, comma-separated" };
    const [key, label] = pair;
    if (!/^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$/.test(key)) return { invalid: `"${key}" is no label key` };
    found[key] = String(label);
  }
  return found;
}

/** `8080`, `http:8080,metrics:9090`, numbers, or `{ name, number }`; a port without a name is called http, http-1, … */
export function ports(value: unknown): readonly Port[] | Invalid {
  const items = typeof value === "string" ? value.split(",") : typeof value === "number" ? [value] : value;
  if (!Array.isArray(items) || items.length === 0) return { invalid: "expected ports, such as 8080 or http:8080" };
  const found: Port[] = [];
  for (const item of items) {
    const port = readPort(item, found.length);
    if (port === undefined)
      return { invalid: "expected ports from 1 to 65535, such as 8080 or http:8080,metrics:9090" };
    found.push(port);
  }
  return found;
}

function portName(index: number): string {
  return index === 0 ? "http" : `http-${index}`;
}

function readPort(item: unknown, index: number): Port | undefined {
  if (typeof item === "object" && item !== null) {
    const { name, number } = item as { name?: unknown; number?: unknown };
    return typeof name === "string" ? toPort(name, Number(number)) : undefined;
  }
  const [name, number] = splitOnce(String(item), ":") ?? [portName(index), String(item)];
  return toPort(name.trim(), Number(number.trim() || Number.NaN));
}

function toPort(name: string, number: number): Port | undefined {
  return Number.isInteger(number) && number > 0 && number < 65_536 && LABEL.test(name) ? { name, number } : undefined;
}

function splitOnce(value: string, separator: string): [string, string] | undefined {
  const at = value.indexOf(separator);
  return at < 0 ? undefined : [value.slice(0, at).trim(), value.slice(at + 1).trim()];
}
