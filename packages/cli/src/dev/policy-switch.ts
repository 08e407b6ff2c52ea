/**
 * What the keys `o` and `f` write into the registry folder: documents of our own, each in a file of its own, so that no
 * file of the user's is ever touched and taking the document away is deleting the file.
 */

import { randomBytes } from "node:crypto";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Document } from "@inmesh/model";

export const MODE_FILE = "inmesh-dev-mode.json";
export const FAULT_FILE = "inmesh-dev-fault.json";

type Data = Readonly<Record<string, unknown>>;

/** Istio's default for MeshConfig.rootNamespace: a MeshMode there holds for the whole mesh. */
const ROOT_NAMESPACE = "istio-system";
/** Of two VirtualServices for one host, and of two MeshModes for one scope, the older wins; none of the user's is older than this. */
const OLDEST = "1970-01-01T00:00:00Z";
const FAULT_NAME = "inmesh-dev-fault";

/** @param documents policy in force: its MeshConfig may name another root namespace */
export function modeDocument(mode: "off" | "on", documents: readonly Document[]): Data {
  const config = documents.find(({ kind, name }) => kind === "MeshConfig" && name !== "");
  const root = config?.value["rootNamespace"];
  const namespace = typeof root === "string" && root !== "" ? root : ROOT_NAMESPACE;
  return {
    apiVersion: "inmesh.dev/v1alpha1",
    kind: "MeshMode",
    // Of two for the whole mesh the older one holds, and the key must work whatever the user's says.
    metadata: { name: "inmesh-dev", namespace, creationTimestamp: OLDEST },
    spec: { mode },
  };
}

export interface Fault {
  /** Service to disturb: short name and namespace. */
  readonly service: string;
  readonly namespace: string;
  /** Share of its calls, in percent. */
  readonly percent: number;
  /** What these get. */
  readonly status: number;
}

/**
 * A VirtualService that does what the one in force for this host does, and answers some calls with an error besides.
 * The one in force stays as it is and rules again when this one is deleted.
 */
export function faultDocument({ service, namespace, percent, status }: Fault, documents: readonly Document[]): Data {
  const inForce = virtualServiceOf(service, namespace, documents);
  const abort = { httpStatus: status, percentage: { value: percent } };
  const rules = listOf(specOf(inForce)["http"]);
  const http =
    rules.length === 0
      ? [{ fault: { abort }, route: [{ destination: { host: service } }] }]
      : rules.map((rule) => (isDisturbable(rule) ? { ...rule, fault: { ...objectOf(rule["fault"]), abort } } : rule));
  const { hosts: _, http: __, ...rest } = specOf(inForce);
  const host = listOfText(specOf(inForce)["hosts"]).find((each) => isHostOf(each, service, namespace)) ?? service;
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name: FAULT_NAME, namespace: inForce?.namespace ?? namespace, creationTimestamp: OLDEST },
    spec: { ...rest, hosts: [host], http },
  };
}

/** Whole or not at all, as every reader of the folder expects. @throws when the folder cannot be written */
export function writeDocument(config: string, file: string, document: Data): void {
  const temporary = join(config, `.${file}.${process.pid}.${randomBytes(4).toString("hex")}`);
  try {
    writeFileSync(temporary, `${JSON.stringify(document, null, 2)}\n`, { flag: "wx", mode: 0o600 });
    renameSync(temporary, join(config, file));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

export function deleteDocument(config: string, file: string): void {
  rmSync(join(config, file), { force: true });
}

/** The one that rules: the oldest by its timestamp, then by name. */
function virtualServiceOf(service: string, namespace: string, documents: readonly Document[]): Document | undefined {
  return documents
    .filter(({ kind, name, value }) => {
      if (kind !== "VirtualService" || name === FAULT_NAME) return false;
      const gateways = listOfText(objectOf(value["spec"])["gateways"]);
      if (gateways.length > 0 && !gateways.includes("mesh")) return false;
      return listOfText(objectOf(value["spec"])["hosts"]).some((host) => isHostOf(host, service, namespace));
    })
    .sort((a, b) => compare(createdAt(a), createdAt(b)) || compare(a.name, b.name))[0];
}

function isHostOf(host: string, service: string, namespace: string): boolean {
  return host === service || host === `${service}.${namespace}` || host.startsWith(`${service}.${namespace}.svc`);
}

/** A rule that answers by itself, or hands over to another document, sends nothing that could be disturbed. */
function isDisturbable(rule: Data): boolean {
  return listOf(rule["route"]).length > 0;
}

function createdAt({ value }: Document): string {
  const created = objectOf(value["metadata"])["creationTimestamp"];
  return typeof created === "string" ? created : "9999";
}

function specOf(document: Document | undefined): Data {
  return objectOf(document?.value["spec"]);
}

function objectOf(value: unknown): Data {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Data) : {};
}

function listOf(value: unknown): Data[] {
  return Array.isArray(value) ? value.map(objectOf) : [];
}

function listOfText(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === "string") : [];
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
