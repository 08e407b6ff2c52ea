/** The kept state as text: JSON lines between a header, which says whose it is, and a checksum. */

import { createHash } from "node:crypto";
import type { Document, Workload } from "@inmesh/model";
import type { UsedService } from "./demand.js";
import { sameItems, sameServices } from "./same-items.js";
import type { KnownService, Lease } from "./source.js";

/** What a start without registry needs; the parts of a RegistryView by the same names. */
export interface StateContent {
  readonly documents: readonly Document[];
  readonly leases: readonly Lease[];
  /** @default none */
  readonly workloads?: readonly Workload[];
  /** Absent where the registry tells everything anyway. */
  readonly services?: readonly KnownService[];
  /** Services that were called, of a registry that tells instances only of those. @default none */
  readonly used?: readonly UsedService[];
  /** What a control plane sent, where policy arrives compiled. @default none */
  readonly resources?: readonly KeptResource[];
}

/** A resource of a control plane, as it came. */
export interface KeptResource {
  /** Which of the process's streams told it. */
  readonly stream: string;
  /** Type URL without what is before the last `/`. */
  readonly type: string;
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Told to an earlier run, and not to this one yet: wall time of when that was so first, ms since 1970. */
  readonly since?: number;
}

/** Whose state it is. Stands in the file, so that one of another registry or service is seen to be that. */
export interface StateOwner {
  /** As it may be shown: no secret. */
  readonly registry: string;
  readonly namespace: string;
  readonly service: string;
}

export interface SavedState extends StateContent {
  /** Wall time, ms since 1970. */
  readonly savedAt: number;
}

/** Becomes a line. */
export interface StateItem {
  /** While it is the same object, so is its line. */
  readonly item: object;
  readonly value: () => object;
  /** Made anew each time: keeping it would cost more than making it. */
  readonly long?: boolean;
}

const FORMAT = "inmesh-state";
const SCHEMA = 2;
/** Before it, a file did not say whose it is: its folder's name did, and held documents and leases alone. */
const EARLIER_SCHEMA = 1;

/** Why the state must not be used, in words, and what is to be done. */
export class Unusable extends Error {
  readonly advice: string;

  constructor(message: string, advice = "Remove the file: the next one is written as soon as the registry answers.") {
    super(message);
    this.advice = advice;
  }
}

export function stateHeader(savedAt: number, owner: StateOwner, { services }: StateContent): string {
  const lists = services === undefined ? {} : { lists: ["services"] };
  return `${JSON.stringify({ format: FORMAT, schema: SCHEMA, savedAt, owner, ...lists })}\n`;
}

export function stateItems(content: StateContent): StateItem[] {
  const { documents, leases, workloads = [], services = [], used = [], resources = [] } = content;
  const items = <Item extends object>(list: readonly Item[], value: (item: Item) => object): StateItem[] =>
    list.map((item) => ({ item, value: () => value(item) }));
  return [
    ...items(documents, (document) => ({ document: flatten(document) })),
    ...items(leases, (lease) => ({ lease })),
    ...items(workloads, (workload) => ({ workload })),
    ...items(services, (service) => ({ service })),
    ...items(used, (one) => ({ used: one })),
    ...items(resources, (sent) => ({ sent: { ...sent, bytes: Buffer.from(sent.bytes).toString("base64") } })).map(
      (item) => ({ ...item, long: true }),
    ),
  ];
}

/** @param sha256 of all lines before it */
export function stateTrailer(sha256: string): string {
  return `${JSON.stringify({ sha256 })}\n`;
}

/** @throws {Unusable} */
export function parseState(text: string, owner: StateOwner): SavedState {
  const end = text.lastIndexOf("\n", text.length - 2) + 1;
  const trailer = parseLine(text.slice(end));
  const sha256 = createHash("sha256").update(text.slice(0, end)).digest("hex");
  if (trailer["sha256"] !== sha256) throw new Unusable("its checksum does not match, it is damaged or cut off");
  const [header = "", ...lines] = text.slice(0, end).trimEnd().split("\n");
  const { format, schema, savedAt, owner: found, lists } = parseLine(header);
  if (format !== FORMAT || typeof savedAt !== "number") throw new Unusable("it is no state of inmesh");
  if (schema !== SCHEMA && schema !== EARLIER_SCHEMA)
    throw new Unusable(`its schema is ${String(schema)}, expected ${SCHEMA}`);
  // The version before knew no registries with a server: a file of its in the place of such a one's state is no state of it.
  if (schema === SCHEMA || owner.registry.includes("://")) checkStateOwner(found, owner);
  const documents: Document[] = [];
  const leases: Lease[] = [];
  const workloads: Workload[] = [];
  const services: KnownService[] = [];
  const used: UsedService[] = [];
  const resources: KeptResource[] = [];
  for (const line of lines) {
    const { document, lease, workload, service, ...rest } = parseLine(line);
    if (document !== undefined) documents.push(unflatten(document as Flat));
    if (lease !== undefined) leases.push(lease as Lease);
    if (workload !== undefined) workloads.push(workload as Workload);
    if (service !== undefined) services.push(service as KnownService);
    if (rest["used"] !== undefined) used.push(rest["used"] as UsedService);
    if (rest["sent"] !== undefined) resources.push(keptResource(rest["sent"] as Record<string, unknown>));
  }
  const tellsServices = Array.isArray(lists) && lists.includes("services");
  return { documents, leases, workloads, ...(tellsServices && { services }), used, resources, savedAt };
}

function keptResource({ bytes, ...rest }: Record<string, unknown>): KeptResource {
  return { ...(rest as unknown as KeptResource), bytes: new Uint8Array(Buffer.from(String(bytes), "base64")) };
}

/** The folder's name says the same, but a file can be copied. */
function checkStateOwner(found: unknown, { registry, namespace, service }: StateOwner): void {
  const saved = (typeof found === "object" && found !== null ? found : {}) as Partial<StateOwner>;
  if (saved.registry === registry && saved.namespace === namespace && saved.service === service) return;
  const text = (owner: Partial<StateOwner>): string =>
    `${owner.namespace ?? "?"}/${owner.service ?? "?"} at ${owner.registry ?? "?"}`;
  throw new Unusable(`it is that of ${text(saved)}, expected ${text({ registry, namespace, service })}`);
}

/** Objects without prototype, as documents hold them. */
function parseLine(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line, (_, found: unknown) =>
      typeof found === "object" && found !== null && !Array.isArray(found)
        ? Object.assign(Object.create(null), found)
        : found,
    );
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new Unusable("it is damaged or cut off");
}

type Flat = Omit<Document, "origin"> & {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly order?: number;
};

function flatten({ origin, ...document }: Document): Flat {
  const { file, line, column, order } = origin;
  return { ...document, file, line, column, ...(order !== undefined && { order }) };
}

/** The text is not kept: every field is located at its document's first line. */
function unflatten({ file, line, column, order, ...document }: Flat): Document {
  const locate = () => ({ line, column });
  return { ...document, origin: { file, line, column, ...(order !== undefined && { order }), locate } };
}

export function sameContent(a: StateContent, b: StateContent): boolean {
  return (
    sameItems(a.documents, b.documents) &&
    sameItems(a.leases, b.leases) &&
    sameItems(a.workloads, b.workloads) &&
    sameServices(a.services, b.services) &&
    sameItems(a.used, b.used) &&
    sameItems(a.resources, b.resources)
  );
}
