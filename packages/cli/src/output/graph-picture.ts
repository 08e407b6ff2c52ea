/** The graph as Mermaid and as DOT. Names come from the registry, so nothing in them may end a label or begin a line. */

import type { Graph, GraphEdge, GraphNode } from "@inmesh/core/admin";
import { formatMs } from "./format.js";

export function mermaidOf({ nodes, edges }: Graph): string {
  const at = new Map(nodes.map(({ id }, index) => [id, `n${index}`]));
  const lines = ["flowchart LR"];
  for (const node of nodes) {
    const label = `"${nodeLines(node).map(escaped).join("<br/>")}"`;
    const shape = node.kind === "external" ? `[[${label}]]` : node.kind === "client" ? `([${label}])` : `[${label}]`;
    lines.push(`  ${at.get(node.id)}${shape}:::${node.health}`);
  }
  for (const edge of edges) {
    const arrow = edge.kind === "mirror" ? "-.->" : "-->";
    lines.push(
      `  ${at.get(edge.source)} ${arrow}|"${edgeLines(edge).map(escaped).join("<br/>")}"| ${at.get(edge.target)}`,
    );
  }
  for (const [health, { fill, line }] of Object.entries(COLOURS))
    lines.push(`  classDef ${health} fill:${fill},stroke:${line},color:#000`);
  return `${lines.join("\n")}\n`;
}

export function dotOf({ nodes, edges }: Graph): string {
  const lines = [
    "digraph mesh {",
    "  rankdir=LR;",
    '  node [style="filled,rounded", shape=box, fontname="sans-serif"];',
  ];
  for (const node of nodes) {
    const { fill, line } = COLOURS[node.health];
    const shape = node.kind === "external" ? ", shape=box3d" : node.kind === "client" ? ", shape=ellipse" : "";
    lines.push(
      `  ${quoted([node.id])} [label=${quoted(nodeLines(node))}, fillcolor="${fill}", color="${line}"${shape}];`,
    );
  }
  for (const edge of edges) {
    const style = edge.kind === "mirror" ? ", style=dashed" : "";
    lines.push(
      `  ${quoted([edge.source])} -> ${quoted([edge.target])} [label=${quoted(edgeLines(edge))}, color="${COLOURS[edge.health].line}"${style}];`,
    );
  }
  return `${lines.join("\n")}\n}\n`;
}

/** Health by colour, and said in words beside it. */
const COLOURS = {
  healthy: { fill: "#d7f0dd", line: "#1a7f37" },
  degraded: { fill: "#fff1c9", line: "#9a6700" },
  failing: { fill: "#ffd9d6", line: "#cf222e" },
  idle: { fill: "#eeeeee", line: "#6e7781" },
} as const;

function nodeLines({ id, versions, processes, health, reasons }: GraphNode): string[] {
  const named = versions.filter(({ version }) => version !== "");
  const count = processes.length === 0 ? "" : `${processes.length} ${processes.length === 1 ? "process" : "processes"}`;
  const of = named.map(({ version, processes: each }) => (each === 0 ? version : `${version} x${each}`)).join(", ");
  return [
    id,
    ...(count === "" ? [] : [of === "" ? count : `${count}: ${of}`]),
    ...(health === "degraded" || health === "failing" ? [`${health}: ${reasons[0] ?? ""}`] : []),
  ];
}

function edgeLines({ traffic, secured, kind, health, reasons }: GraphEdge): string[] {
  const { rps, successRatio, p95Ms } = traffic;
  const rate = `${rps.toFixed(1)}/s${kind === "mirror" ? " copies" : ""}`;
  const how = [
    ...(successRatio === null ? [] : [`${(successRatio * 100).toFixed(1)}%`]),
    ...(p95Ms === null || kind === "mirror" ? [] : [`p95 ${formatMs(p95Ms)}`]),
    ...(secured === "yes" ? ["mTLS"] : secured === null ? [] : [secured === "no" ? "plaintext" : "partly plaintext"]),
  ];
  const why = health === "degraded" || health === "failing" ? reasons.slice(0, 1) : [];
  return [[rate, ...how].join(", "), ...why];
}

/** For a label of Mermaid: its entities stand for what would end it or be markup. */
function escaped(text: string): string {
  return oneLine(text).replace(/[#&<>"'`|[\](){}\\;]/g, (sign) => `#${sign.codePointAt(0)};`);
}

function quoted(lines: readonly string[]): string {
  return `"${lines.map((line) => oneLine(line).replace(/["\\]/g, "\\$&")).join("\\n")}"`;
}

function oneLine(text: string): string {
  return text.replace(/\p{C}/gu, " ");
}
