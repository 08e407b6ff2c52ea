/**
 * A lease as a file: an Istio WorkloadEntry whose annotations say which process it is.
 *
 * Renewing sets the file's time of change and leaves its text alone: one system call that needs no space on a full disk,
 * and nothing to read for fifty others. The time's milliseconds are the sequence number of the text, so that a reader
 * who looks at the time alone knows whether there is something new to read.
 */

import type { Document, Locality, WorkloadPort } from "@inmesh/model";
import { isDnsLabel } from "../snapshot/lease-name.js";
import type { Lease, LeaseSpec } from "../snapshot/source.js";

/** What a lease says besides the workload: how to tell whether its process still lives. */
export interface LeaseRecord {
  readonly lease: Lease;
  /** `Host.id` of the machine the process runs on. */
  readonly host: string;
  /** `Host.startOf(pid)`; empty when unknown. */
  readonly started: string;
}

const PREFIX = "inmesh.dev/";
const SEQUENCE = /^ {4}inmesh\.dev\/sequence: "(\d+)"$/m;
const EXTENSION = ".yaml";

/** Bounds of what a reader believes, in ms. */
const MIN_TTL_MS = 1_000;
const MAX_TTL_MS = 600_000;

/** Lease name of a file in the folder of leases, or undefined for any other file. */
export function leaseNameOf(file: string): string | undefined {
  if (!file.endsWith(EXTENSION)) return undefined;
  const parts = file.slice(0, -EXTENSION.length).split(".");
  return parts.length === 3 && parts.every(isDnsLabel) ? parts.join(".") : undefined;
}

export function leaseFile(name: string): string {
  return `${name}${EXTENSION}`;
}

/** Strings are quoted as JSON, which YAML reads as it stands. */
export function formatLease(lease: LeaseSpec, sequence: number, { host, started }: Omit<LeaseRecord, "lease">): string {
  const annotations: Record<string, string | undefined> = {
    service: lease.service,
    instance: lease.instance,
    sequence: String(sequence),
    "ttl-ms": String(lease.ttlMs),
    pid: String(lease.pid),
    "pid-started": started === "" ? undefined : started,
    host,
    admin: lease.admin,
    identity: lease.identity,
    tags: lease.tags === undefined ? undefined : JSON.stringify(lease.tags),
    version: lease.inmeshVersion,
    "schema-version": String(lease.schemaVersion),
  };
  const { locality } = lease;
  const lines = [
    "apiVersion: networking.istio.io/v1",
    "kind: WorkloadEntry",
    "metadata:",
    `  name: ${JSON.stringify(`${lease.service}.${lease.instance}`)}`,
    `  namespace: ${JSON.stringify(lease.namespace)}`,
    "  annotations:",
    ...Object.entries(annotations).flatMap(([key, value]) =>
      value === undefined ? [] : [`    ${PREFIX}${key}: ${JSON.stringify(value)}`],
    ),
    "spec:",
    `  address: ${JSON.stringify(lease.address)}`,
    ...map("ports", portNames(lease.ports)),
    ...map("labels", new Map(Object.entries(lease.labels))),
    ...(locality === undefined
      ? []
      : [`  locality: ${JSON.stringify(`${locality.region}/${locality.zone}/${locality.subZone}`)}`]),
    ...(lease.weight === undefined ? [] : [`  weight: ${lease.weight}`]),
    ...(lease.serviceAccount === undefined ? [] : [`  serviceAccount: ${JSON.stringify(lease.serviceAccount)}`]),
  ];
  return `${lines.join("\n")}\n`;
}

/** Number of the text: it grows with every change of what the lease says. -1 when it says none. */
export function readSequence(text: string): number {
  return Number(SEQUENCE.exec(text)?.[1] ?? -1);
}

/** Time of change for a file with this sequence, as near to `wallMs` as it can be; both in ms since 1970. */
export function stampOf(sequence: number, wallMs: number): number {
  return Math.floor(wallMs / 1_000) * 1_000 + (sequence % 1_000);
}

/** Whether a file with this time of change may still hold the text with that sequence. Coarse clocks answer no. */
export function isStampOf(sequence: number, changedAt: number): boolean {
  return Math.round(changedAt) % 1_000 === sequence % 1_000;
}

/**
 * Fields that a newer version may have added are ignored: a lease states facts, it is no policy.
 * @returns a sentence saying what is wrong when it cannot be used
 */
export function readLease(name: string, document: Document | undefined): LeaseRecord | string {
  if (document === undefined || document.kind !== "WorkloadEntry") return "it holds no WorkloadEntry";
  const [namespace = "", service = "", instance = ""] = name.split(".");
  const annotations = record(record(document.value["metadata"])["annotations"]);
  const note = (key: string): string => text(annotations[`${PREFIX}${key}`]);
  const spec = record(document.value["spec"]);
  if (note("service") !== service || note("instance") !== instance || document.namespace !== namespace)
    return "its name differs from what it says inside";
  const address = text(spec["address"]);
  if (address === "") return "spec.address is missing";
  const ports = readPorts(record(spec["ports"]));
  if (ports === undefined) return "spec.ports holds something that is no port number";
  const pid = Number(note("pid"));
  if (!Number.isSafeInteger(pid) || pid < 1) return "annotation inmesh.dev/pid is no process id";
  const ttlMs = Number(note("ttl-ms"));
  if (!(ttlMs > 0)) return "annotation inmesh.dev/ttl-ms is no duration in ms";
  const admin = note("admin");
  const identity = annotations[`${PREFIX}identity`];
  const serviceAccount = text(spec["serviceAccount"]);
  const locality = readLocality(text(spec["locality"]));
  const weight = Number(text(spec["weight"])) || 1;
  const tags = readTags(note("tags"));
  const lease: Lease = {
    name,
    namespace,
    service,
    instance,
    address,
    ports,
    labels: readLabels(record(spec["labels"])),
    ...(locality && { locality }),
    ...(serviceAccount !== "" && { serviceAccount }),
    ...(typeof identity === "string" && { identity }),
    ...(Number.isInteger(weight) && weight > 1 && { weight }),
    ...(tags.length > 0 && { tags }),
    pid,
    ...(admin !== "" && { admin }),
    ttlMs: Math.min(MAX_TTL_MS, Math.max(MIN_TTL_MS, ttlMs)),
    inmeshVersion: note("version"),
    schemaVersion: Number(note("schema-version")) || 0,
  };
  return { lease, host: note("host"), started: note("pid-started") };
}

function map(field: string, entries: ReadonlyMap<string, string | number>): string[] {
  if (entries.size === 0) return [];
  return [`  ${field}:`, ...[...entries].map(([key, value]) => `    ${JSON.stringify(key)}: ${JSON.stringify(value)}`)];
}

/** WorkloadEntry maps name to number. A name that is missing, taken or would be sorted as a number gets one from its port. */
function portNames(ports: readonly WorkloadPort[]): Map<string, number> {
  const names = new Map<string, number>();
  for (const { name, number } of ports) {
    const usable = /[^0-9]/.test(name) && !names.has(name);
    names.set(usable ? name : `port-${number}`, number);
  }
  return names;
}

function readPorts(value: Readonly<Record<string, unknown>>): WorkloadPort[] | undefined {
  const ports = Object.entries(value).map(([name, number]) => ({ name, number: Number(number) }));
  return ports.every(({ number }) => Number.isInteger(number) && number > 0 && number < 65_536) ? ports : undefined;
}

function readLabels(value: Readonly<Record<string, unknown>>): Record<string, string> {
  const labels: Record<string, string> = Object.create(null);
  for (const [key, label] of Object.entries(value)) labels[key] = text(label);
  return labels;
}

function readTags(value: string): string[] {
  try {
    const tags: unknown = JSON.parse(value || "[]");
    return Array.isArray(tags) ? tags.filter((tag): tag is string => typeof tag === "string") : [];
  } catch {
    return [];
  }
}

function readLocality(value: string): Locality | undefined {
  if (value === "") return undefined;
  const [region = "", zone = "", subZone = ""] = value.split("/");
  return { region, zone, subZone };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/** A person may have written `version: 1`. */
function text(value: unknown): string {
  return typeof value === "string" ? value : typeof value === "number" || typeof value === "boolean" ? `${value}` : "";
}
