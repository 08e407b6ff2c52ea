/**
 * A ClusterLoadAssignment from its bytes, by hand: endpoints are most of what a control plane sends, and 2,000 of them must not
 * be noticed. Field numbers: envoy/config/endpoint/v3/endpoint.proto and endpoint_components.proto.
 */

import { LENGTH, WireError, WireReader } from "../../proto/wire-reader.js";
import type { AssignedEndpoint, ClusterAssignment, DroppedShare, EndpointHealth } from "./assignment.js";
import { MetadataReader } from "./metadata-reader.js";

/** As it is in the bytes: nothing is checked but that it can be read. */
export interface ReadAssignment extends ClusterAssignment {
  readonly localities: readonly ReadLocality[];
  /** Why an endpoint cannot be called, of those that cannot. */
  readonly flaws: ReadonlyMap<AssignedEndpoint, string>;
}

export interface ReadLocality {
  /** Whether the message has a Locality at all; an empty one is one. */
  hasLocality: boolean;
  region: string;
  zone: string;
  subZone: string;
  priority: number;
  weight: number;
  readonly endpoints: AssignedEndpoint[];
}

const HEALTH: readonly EndpointHealth[] = ["unknown", "healthy", "unhealthy", "draining", "timeout", "degraded"];

/** Envoy's default of `overprovisioning_factor`. */
const OVERPROVISIONING_PERCENT = 140;

/** envoy.type.v3.FractionalPercent.DenominatorType */
const DENOMINATORS = [100, 10_000, 1_000_000];

// Field number times eight, plus the wire type.
const [F1, F2, F3, F4] = [10, 18, 26, 34] as const;
const [V1, V2, V3, V5] = [8, 16, 24, 40] as const;

/** @throws {WireError} */
export function readAssignment(bytes: Uint8Array): ReadAssignment {
  const reader = new WireReader(bytes);
  const endpoints = new EndpointReader(reader);
  const localities: ReadLocality[] = [];
  let policy = { overprovisioningPercent: OVERPROVISIONING_PERCENT, drops: [] as DroppedShare[] };
  let name = "";
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === F1) name = reader.string();
    else if (tag === F2) localities.push(locality(reader, endpoints));
    else if (tag === F4) policy = readPolicy(reader.nested(), policy);
    else reader.skip(tag & 7);
  }
  return { name, localities, ...policy, unusable: [], flaws: endpoints.flaws };
}

function locality(reader: WireReader, endpoints: EndpointReader): ReadLocality {
  const read: ReadLocality = {
    hasLocality: false,
    region: "",
    zone: "",
    subZone: "",
    priority: 0,
    weight: 0,
    endpoints: [],
  };
  const outer = reader.enter();
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === F1) place(reader.nested(), read);
    else if (tag === F2) read.endpoints.push(endpoints.next());
    else if (tag === F3) read.weight = wrappedNumber(reader);
    else if (tag === V5) read.priority = reader.varint();
    else reader.skip(tag & 7);
  }
  reader.leave(outer);
  return read;
}

function place(reader: WireReader, read: ReadLocality): void {
  read.hasLocality = true;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === F1) read.region = reader.string();
    else if (tag === F2) read.zone = reader.string();
    else if (tag === F3) read.subZone = reader.string();
    else reader.skip(tag & 7);
  }
}

/** LbEndpoint, Endpoint, Address and SocketAddress in one, whose parts lie in it and not in objects of their own. */
class EndpointReader {
  readonly flaws = new Map<AssignedEndpoint, string>();
  readonly #reader: WireReader;
  readonly #metadata: MetadataReader;
  #address = "";
  #port = 0;
  #hostname = "";
  #flaw: string | undefined;

  constructor(reader: WireReader) {
    this.#reader = reader;
    this.#metadata = new MetadataReader(reader);
  }

  next(): AssignedEndpoint {
    const reader = this.#reader;
    this.#address = "";
    this.#port = 0;
    this.#hostname = "";
    this.#flaw = NO_ADDRESS;
    let health = 0;
    let weight = 1;
    let metadata = this.#metadata.none;
    const outer = reader.enter();
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === F1) this.#endpoint();
      else if (tag === V2) health = reader.varint();
      else if (tag === F3) metadata = this.#metadata.next();
      else if (tag === F4) weight = wrappedNumber(reader);
      else reader.skip(tag & 7);
    }
    reader.leave(outer);
    const endpoint: AssignedEndpoint = {
      address: this.#address,
      port: this.#port,
      weight,
      health: HEALTH[health] ?? "unknown",
      hostname: this.#hostname,
      metadata,
    };
    if (this.#flaw !== undefined) this.flaws.set(endpoint, this.#flaw);
    return endpoint;
  }

  #endpoint(): void {
    const reader = this.#reader;
    const outer = reader.enter();
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === F1) this.#addressOf();
      else if (tag === F3) this.#hostname = reader.string();
      else reader.skip(tag & 7);
    }
    reader.leave(outer);
  }

  #addressOf(): void {
    const reader = this.#reader;
    const outer = reader.enter();
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === F1) this.#socketAddress();
      else if (tag === F2 || tag === F3) {
        this.#flaw = tag === F2 ? "it is a pipe" : "it is an internal listener of Envoy";
        reader.skip(LENGTH);
      } else reader.skip(tag & 7);
    }
    reader.leave(outer);
  }

  #socketAddress(): void {
    const reader = this.#reader;
    let flaw: string | undefined = "it has no port";
    let isTcp = true;
    const outer = reader.enter();
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === V1) isTcp = reader.varint() === 0;
      else if (tag === F2) this.#address = reader.string();
      else if (tag === V3) {
        this.#port = reader.varint();
        flaw = this.#port <= 65_535 ? undefined : `port ${this.#port}`;
      } else if (tag === F4) flaw = `its port is a name, ${reader.string()}`;
      else reader.skip(tag & 7);
    }
    reader.leave(outer);
    this.#flaw = isTcp ? flaw : "it is not TCP";
  }
}

const NO_ADDRESS = "it has no address";

function readPolicy(reader: WireReader, before: { overprovisioningPercent: number; drops: DroppedShare[] }) {
  let { overprovisioningPercent } = before;
  const drops = [...before.drops];
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === F2) drops.push(dropped(reader.nested()));
    else if (tag === F3) overprovisioningPercent = wrappedNumber(reader);
    else reader.skip(tag & 7);
  }
  return { overprovisioningPercent, drops };
}

function dropped(reader: WireReader): DroppedShare {
  let category = "";
  let numerator = 0;
  let denominator = 0;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === F1) category = reader.string();
    else if (tag === F2) {
      const fraction = reader.nested();
      while (!fraction.done) {
        const part = fraction.tag();
        if (part === V1) numerator = fraction.varint();
        else if (part === V2) denominator = fraction.varint();
        else fraction.skip(part & 7);
      }
    } else reader.skip(tag & 7);
  }
  const parts = DENOMINATORS[denominator];
  if (parts === undefined)
    throw new WireError(`drop_overloads of ${category} has the unknown denominator ${denominator}`);
  return { category, ratio: Math.min(1, numerator / parts) };
}

/** google.protobuf.UInt32Value, which is next. */
function wrappedNumber(reader: WireReader): number {
  let value = 0;
  const outer = reader.enter();
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === V1) value = reader.varint();
    else reader.skip(tag & 7);
  }
  reader.leave(outer);
  return value;
}
