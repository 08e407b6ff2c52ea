/**
 * What callers say of themselves beside their certificate: members of this mesh by names and values as in a URL's query, Envoy
 * sidecars by `x-envoy-peer-metadata`, base64 of a protobuf Struct. Read over mTLS only, believed of the namespace that the
 * certificate names only, and never trusted to be short or well-formed.
 */

import { protobufFields } from "@inmesh/core/internal";
import type { PeerIdentity } from "@inmesh/model";
import { UNKNOWN, UNKNOWN_WORKLOAD, type WorkloadLabels, workloadLabels } from "./workload-labels.js";

/** The same object for the same words, while it is remembered. */
export interface ToldMetadata {
  readonly labels: WorkloadLabels;
}

/** In characters. */
const LONGEST_HEADER = 16_384;
const LONGEST_VALUE = 128;
/** Headers remembered at a time: each is one workload's, word for word the same on every request. */
const MOST = 256;
/** Of Structs in Structs. */
const DEEPEST = 8;

/** How this process says who it is. No value of base64 begins like that. */
export function ownMetadata(own: WorkloadLabels): string {
  const { workload, ...others } = own;
  return new URLSearchParams({ workload, ...others }).toString();
}

const OWN = "workload=";

export class PeerMetadata {
  readonly #known = new Map<string, ToldMetadata | undefined>();

  /** @returns undefined for what cannot be read, or is not of the peer's namespace */
  read(header: string, peer: PeerIdentity): ToldMetadata | undefined {
    if (header.length > LONGEST_HEADER) return undefined;
    const known = this.#known.get(header);
    if (known !== undefined || this.#known.has(header))
      return known?.labels.namespace === peer.namespace ? known : undefined;
    if (this.#known.size >= MOST) this.#known.delete(this.#known.keys().next().value!); // full, so not empty
    const told = header.startsWith(OWN) ? readOwn(header) : readMetadata(header);
    this.#known.set(header, told);
    return told?.labels.namespace === peer.namespace ? told : undefined;
  }
}

function readOwn(text: string): ToldMetadata | undefined {
  const given = new URLSearchParams(text);
  const labels: { -readonly [Key in keyof WorkloadLabels]: string } = { ...UNKNOWN_WORKLOAD };
  for (const key of KEYS) labels[key] = given.get(key)?.slice(0, LONGEST_VALUE) || UNKNOWN_WORKLOAD[key];
  const { workload, canonicalService, cluster } = labels;
  if ([workload, canonicalService, cluster].includes(UNKNOWN)) return undefined; // known together, or not at all
  return { labels };
}

const KEYS = Object.keys(UNKNOWN_WORKLOAD) as readonly (keyof WorkloadLabels)[];

function readMetadata(header: string): ToldMetadata | undefined {
  try {
    const struct = readStruct(Buffer.from(header, "base64"), 0);
    const namespace = textOf(struct["NAMESPACE"]);
    const workload = textOf(struct["WORKLOAD_NAME"]) || textOf(struct["NAME"]);
    if (namespace === "" || workload === "") return undefined;
    const given = struct["LABELS"];
    const labels: Record<string, string> = Object.create(null);
    if (typeof given === "object") for (const [key, value] of Object.entries(given)) labels[key] = textOf(value);
    const found = workloadLabels(labels, workload, namespace);
    const canonical = textOf(struct["CANONICAL_SERVICE"]);
    const cluster = textOf(struct["CLUSTER_ID"]) || UNKNOWN;
    const own = { ...found, workload, cluster, ...(canonical !== "" && { canonicalService: canonical }) };
    if (own.cluster === UNKNOWN) return undefined; // known together, or not at all
    return { labels: own };
  } catch {
    return undefined; // no protobuf
  }
}

type Value = string | { readonly [key: string]: Value };

function textOf(value: Value | undefined): string {
  return typeof value === "string" ? value.slice(0, LONGEST_VALUE) : "";
}

/** google.protobuf.Struct: `map<string, Value> fields = 1`. */
function readStruct(bytes: Uint8Array, depth: number): { [key: string]: Value } {
  if (depth > DEEPEST) throw new RangeError("too deep");
  const struct: { [key: string]: Value } = Object.create(null);
  for (const { number, bytes: entry } of protobufFields(bytes)) {
    if (number !== 1) continue;
    let key = "";
    let value: Value | undefined;
    for (const { number: part, bytes: content } of protobufFields(entry)) {
      if (part === 1) key = TEXT.decode(content);
      if (part === 2) value = readValue(content, depth);
    }
    if (value !== undefined) struct[key] = value;
  }
  return struct;
}

/** google.protobuf.Value: 3 is a text, 5 a Struct; numbers, truth and lists say nothing here. */
function readValue(bytes: Uint8Array, depth: number): Value | undefined {
  for (const { number, bytes: content } of protobufFields(bytes)) {
    if (number === 3) return TEXT.decode(content);
    if (number === 5) return readStruct(content, depth + 1);
  }
  return undefined;
}

const TEXT = new TextDecoder("utf-8", { fatal: true });
