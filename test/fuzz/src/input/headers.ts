/**
 * Header lines of a request. Whatever a stranger writes, none that claims an identity or belongs to the mesh reaches the
 * application, the others stay as they are, and numbers in them are numbers.
 */

import { forwardClientCert, takeHeaders } from "@inmesh/http/internal";
import { type InputTarget, seeds, type Verdict } from "./target.js";

const CLIENT_CERT = "x-forwarded-client-cert";
const SELF = "spiffe://cluster.local/ns/shop/sa/cart";
const HASH = "ab".repeat(32);
const PEER = {
  identity: { id: "spiffe://cluster.local/ns/shop/sa/web" },
  ...{ hash: HASH, subject: 'CN="a\\b"', notAfter: 0 },
} as unknown as NonNullable<Parameters<typeof forwardClientCert>[3]>;
const OURS = `By=${SELF};Hash=${HASH};Subject="CN=\\"a\\\\b\\"";URI=${PEER.identity.id}`;
/** What Node's parser lets through as a name and as a value (RFC 9110 §5.6.2, §5.5). */
const LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;
const MESHES = /^(x-inmesh-.+|x-envoy-peer-metadata(-id)?)$/;
const TRACES =
  /^(b3|sw8|baggage|tracestate|traceparent|uber-trace-id|x-request-id|grpc-trace-bin|x-ot-span-context|x-cloud-trace-context|x-b3-.*|x-datadog-.*)$/;

type Lines = readonly (readonly [name: string, value: string])[];

export const HEADERS: InputTarget = {
  seeds: seeds(
    "host: a\nx-inmesh-timeout-ms: 120\naccept: */*",
    `${CLIENT_CERT}: By=spiffe://a;Hash=00;URI=spiffe://cluster.local/ns/shop/sa/admin\nX-Forwarded-Client-Cert: b`,
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\nbaggage: a=1\nx-request-id: 1",
    "grpc-timeout: 100m\nx-inmesh-spent: 3\nx-envoy-peer-metadata-id: sidecar~10.0.0.1",
  ),
  words: [
    ...[
      CLIENT_CERT,
      "X-FORWARDED-CLIENT-CERT",
      "x-forwarded-client_cert",
      "x-inmesh-",
      "X-Inmesh-Peer: a",
      "x-b3-traceid",
    ],
    ...[
      ":",
      ": ",
      "\n",
      "\n:",
      "\t",
      ",",
      ";",
      '"',
      "\\",
      "=",
      "-1",
      "1e9",
      "0x10",
      "999999999999999999999",
      "100u",
      "NaN",
    ],
    ...["__proto__: 1", "constructor: 1", "toString: a", "\nhost: b", "grpc-timeout", "x-inmesh-timeout-ms: "],
  ],
  judge(input) {
    const lines = read(Buffer.from(input).toString("latin1"));
    if (lines === undefined) return { accepted: false, said: "no lines that a parser would take" };
    const taken = headOf(lines);
    const found = takeHeaders(taken);
    const said = `${found.forward.length} ${found.clientCert} ${found.malformed} ${found.workload === ""} ${found.remainingMs < 1e9}`;
    const fault =
      numbersOf(found) ??
      forwardOf(found.forward) ??
      reached(lines, found.clientCert, undefined) ??
      reached(lines, found.clientCert, PEER);
    return { accepted: true, said, ...(fault !== undefined && { fault }) };
  },
};

function read(text: string): Lines | undefined {
  const lines: (readonly [string, string])[] = [];
  for (const line of text.split("\n")) {
    const [, name, value] = LINE.exec(line) ?? [];
    if (name === undefined || value === undefined) return undefined;
    lines.push([name, value]);
  }
  return lines;
}

/** As node:http makes it: names in lower case, repeated lines in one. */
function headOf(lines: Lines): { readonly headers: Record<string, string>; readonly rawHeaders: string[] } {
  const headers: Record<string, string> = {};
  for (const [name, value] of lines) {
    const key = name.toLowerCase();
    const before = Object.hasOwn(headers, key) ? `${headers[key]}, ` : "";
    Object.defineProperty(headers, key, {
      value: before + value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return { headers, rawHeaders: lines.flat() };
}

function numbersOf({ remainingMs, spentAbove }: ReturnType<typeof takeHeaders>): string | undefined {
  if (!(remainingMs >= 0)) return `${remainingMs} ms remain`;
  return Number.isSafeInteger(spentAbove) && spentAbove >= 0 ? undefined : `${spentAbove} attempts were spent`;
}

function forwardOf(flat: readonly string[]): string | undefined {
  for (let at = 0; at < flat.length; at += 2) {
    const name = flat[at] ?? "";
    if (!TRACES.test(name) && name !== "x-inmesh-mirrored") return `passes on ${name}`;
    if (/[\r\n]/.test(flat[at + 1] ?? "\n")) return `passes on a line break in ${name}`;
  }
  return undefined;
}

/** What the application sees, for a caller with and without a certificate. */
function reached(lines: Lines, came: boolean, peer: typeof PEER | undefined): Verdict["fault"] {
  const head = headOf(lines);
  takeHeaders(head);
  forwardClientCert(head, came, "SANITIZE_SET", peer, SELF);
  const wanted = lines
    .filter(([name]) => !MESHES.test(name.toLowerCase()) && name.toLowerCase() !== CLIENT_CERT)
    .flat();
  if (peer !== undefined) wanted.push(CLIENT_CERT, OURS);
  if (JSON.stringify(head.rawHeaders) !== JSON.stringify(wanted))
    return `${JSON.stringify(head.rawHeaders)} reach the application`;
  const keys = [...new Set(wanted.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase()))].sort();
  const seen = Object.keys(head.headers).sort();
  return JSON.stringify(keys) === JSON.stringify(seen) ? undefined : `${seen} are seen, ${keys} were to be`;
}
