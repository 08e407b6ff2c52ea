/** How processes and their control plane stand, for `inmesh status`. */

import type { XdsReading, XdsTypeReading } from "@inmesh/core/admin";
import { count, formatMs } from "../output/format.js";
import type { Column } from "../output/table.js";

interface Row {
  readonly name: string;
  readonly xds: XdsReading | null;
}

/** As istioctl calls Envoy's types. */
const SHORT: Readonly<Record<string, string>> = {
  Cluster: "CDS",
  Listener: "LDS",
  RouteConfiguration: "RDS",
  ClusterLoadAssignment: "EDS",
};

const WORDS: Readonly<Record<string, string>> = {
  REQUESTED: "awaited",
  DOES_NOT_EXIST: "missing",
  TIMEOUT: "unanswered",
  NACKED: "refused",
  RECEIVED_ERROR: "failed",
};

export const XDS_COLUMNS: readonly Column<Row>[] = [
  { title: "PROFILE", cell: ({ xds }) => xds?.profile ?? "" },
  { title: "SYNC", cell: ({ xds }) => syncText(xds) },
  { title: "TOLD", cell: ({ xds }) => toldText(xds), align: "right" },
  { title: "CONTROL PLANE", cell: ({ xds }) => xds?.controlPlane || (xds?.server ?? "") },
  { title: "NODE", cell: ({ xds }) => xds?.node ?? "", wide: true },
];

/** What it still waits for: a phrase, empty where that is nothing. */
export function awaitedText(xds: XdsReading | undefined): string {
  const awaited = (xds?.types ?? []).flatMap(({ type, states }) => {
    const open = states["REQUESTED"] ?? 0;
    return open === 0 ? [] : [count(open, type)];
  });
  return awaited.length === 0 ? "" : `awaits ${awaited.join(", ")}`;
}

/** `CDS 8, EDS 2 (1 awaited)`; of Istio's resources what they are together. */
function syncText(xds: XdsReading | null): string {
  if (xds === null) return "";
  const envoy = xds.types.filter(({ type }) => type in SHORT);
  const others = xds.types.filter(({ type }) => !(type in SHORT));
  return [
    ...(others.length === 0 ? [] : [typeText("resources", merged(others))]),
    ...envoy.map((each) => typeText(SHORT[each.type] ?? each.type, each.states)),
  ].join(", ");
}

function typeText(name: string, states: XdsTypeReading["states"]): string {
  const odd = Object.entries(states).flatMap(([state, n]) => (state in WORDS && n > 0 ? [`${n} ${WORDS[state]}`] : []));
  return `${name} ${states["ACKED"] ?? 0}${odd.length === 0 ? "" : ` (${odd.join(", ")})`}`;
}

function merged(types: readonly XdsTypeReading[]): XdsTypeReading["states"] {
  const sum: Record<string, number> = {};
  for (const { states } of types) for (const [state, n] of Object.entries(states)) sum[state] = (sum[state] ?? 0) + n;
  return sum;
}

/** Since the newest resource came. */
function toldText(xds: XdsReading | null): string {
  const ages = (xds?.types ?? []).flatMap(({ ageMs }) => (ageMs < 0 ? [] : ageMs));
  return ages.length === 0 ? "" : formatMs(Math.min(...ages));
}

/** What is refused and what is passed over, by name. */
export function xdsLines({ name, xds }: Row): readonly string[] {
  if (xds === null) return [];
  return [
    ...xds.refused.map(({ type, name: resource, error }) => `${name} refuses ${type} ${resource}: ${error}`),
    ...xds.ignored.map((text) => `${name}: ${text}`),
  ];
}
