/** The live screen as a pure function: what is known of the session in, lines of text out. Fits 80 x 24. */

import type { Mode } from "@inmesh/model";
import type { Style } from "../output/paint.js";
import { printable } from "../output/paint.js";
import type { EventKind, SessionEvent } from "./event-log.js";
import { clockText, latencyText, perSecond, retryText, shareText, successText } from "./figure-text.js";
import type { Edge } from "./figures.js";
import { type Line, line, wrapText } from "./styled-line.js";

export interface InstanceRow {
  readonly pid: number;
  /** 0 when it does not listen. */
  readonly port: number;
  readonly version: string;
  readonly state: "starting" | "ready" | "degraded" | "draining";
}

export interface ServiceRow {
  readonly service: string;
  readonly instances: readonly InstanceRow[];
}

export interface ScreenModel {
  readonly upMs: number;
  readonly policy: Mode;
  /** What the key `f` is doing at the moment; empty when nothing. */
  readonly fault: string;
  readonly services: readonly ServiceRow[];
  readonly edges: readonly Edge[];
  readonly events: readonly SessionEvent[];
  /** A script is telling a story. */
  readonly scripted: boolean;
  readonly help: boolean;
}

export interface Glyphs {
  readonly arrow: string;
  readonly rule: string;
  readonly states: Readonly<Record<InstanceRow["state"], string>>;
}

export const UNICODE: Glyphs = {
  arrow: "→",
  rule: "─",
  states: { starting: "◌", ready: "●", degraded: "◐", draining: "○" },
};
export const ASCII: Glyphs = {
  arrow: ">",
  rule: "-",
  states: { starting: ".", ready: "*", degraded: "!", draining: "o" },
};

export const KEY_HELP: readonly (readonly [key: string, text: string])[] = [
  ["k", "kill -9 one replica, of the service that has most; it comes back after 3 s"],
  ["o", "switch policy off and on, for the whole mesh"],
  ["f", "answer 30 % of the busiest calls with 503 for 10 s; again: stop"],
  ["w", "what happened to the last request?"],
  ["q", "stop everything and leave (Ctrl-C too)"],
];

const STATE_STYLES: Readonly<Record<InstanceRow["state"], Style>> = {
  starting: "yellow",
  ready: "green",
  degraded: "yellow",
  draining: "dim",
};
const EVENT_STYLES: Partial<Record<EventKind, Style>> = {
  error: "red",
  fault: "magenta",
  policy: "cyan",
  answer: "bold",
};
/** Rows from which there is room for air. */
const ROOMY = 32;
const MIN_EVENTS = 3;
const MAX_STORY = 9;

/** @returns exactly `rows` lines at most, not yet cut to the width */
export function screenLines(model: ScreenModel, columns: number, rows: number, glyphs: Glyphs): Line[] {
  const air = rows >= ROOMY ? [line("")] : [];
  const top = [
    headLine(model, columns),
    ...air,
    ...serviceLines(model.services, columns, glyphs),
    ...air,
    ...edgeLines(model.edges, columns, glyphs),
    ...air,
  ];
  const foot = footLine(model);
  if (model.help) return [...top, ...helpLines()].slice(0, rows - 1).concat([foot]);
  const left = rows - 1 - top.length;
  const story = model.scripted
    ? storyLines(model.events, columns).slice(0, Math.max(0, Math.min(MAX_STORY, left - MIN_EVENTS - 1)))
    : [];
  const room = Math.max(0, left - story.length - 1);
  const events = eventLines(model.events, columns, model.scripted).slice(-room);
  const lower = room > 0 ? [ruleLine("events", columns, glyphs), ...events] : [];
  return [...top, ...story, ...lower].slice(0, rows - 1).concat([foot]);
}

function headLine({ upMs, policy, fault, services }: ScreenModel, columns: number): Line {
  const count = services.reduce((sum, { instances }) => sum + instances.length, 0);
  const mode =
    policy === "on"
      ? (["green", "policy on"] as const)
      : (["yellow", policy === "off" ? "policy OFF" : "policy OBSERVED"] as const);
  const right = clockText(upMs);
  const about = `${services.length} services, ${count} processes`;
  const text = ` inmesh dev   ${about}   ${mode[1]}${fault === "" ? "" : `   ${fault}`}`;
  return line(
    ["bold", " inmesh dev"],
    `   ${about}   `,
    mode,
    ["magenta", fault === "" ? "" : `   ${fault}`],
    " ".repeat(Math.max(1, columns - text.length - right.length - 1)),
    right,
  );
}

function serviceLines(services: readonly ServiceRow[], columns: number, glyphs: Glyphs): Line[] {
  const nameWidth = Math.min(20, Math.max(7, ...services.map(({ service }) => service.length))) + 2;
  const rows: Line[] = [line(["dim", ` ${"SERVICE".padEnd(nameWidth)}INSTANCES (process, port, version)`])];
  for (const { service, instances } of services) {
    let parts: (string | readonly [Style, string])[] = [["bold", ` ${service.padEnd(nameWidth)}`]];
    let width = nameWidth + 1;
    for (const { pid, port, version, state } of instances) {
      const text = ` ${pid}${port === 0 ? "" : ` :${port}`}${version === "" ? "" : ` ${version}`}   `;
      if (width + text.length + 1 > columns + 3 && width > nameWidth + 1) {
        rows.push(line(...parts));
        parts = [" ".repeat(nameWidth + 1)];
        width = nameWidth + 1;
      }
      parts.push([STATE_STYLES[state], glyphs.states[state]], text);
      width += text.length + 1;
    }
    rows.push(line(...parts));
  }
  return rows;
}

function edgeLines(edges: readonly Edge[], columns: number, { arrow }: Glyphs): Line[] {
  const names = edges.map(({ from, to }) => `${from} ${arrow} ${to}`);
  const nameWidth = Math.min(Math.max(columns - 59, 12), Math.max(12, ...names.map((name) => name.length))) + 1;
  const cell = (text: string, width: number) => text.padStart(width);
  const rows: Line[] = [
    line([
      "dim",
      ` ${"CALLS".padEnd(nameWidth)}${cell("REQ/S", 7)}${cell("SUCCESS", 8)}${cell("P50", 7)}${cell("P95", 7)}${cell("P99", 7)}${cell("RETRY", 7)}  SHARE`,
    ]),
  ];
  edges.forEach(({ requestsPerSecond, success, p50Ms, p95Ms, p99Ms, retries, versions }, index) => {
    const name = names[index] ?? "";
    rows.push(
      line(
        ` ${(name.length > nameWidth - 1 ? `${name.slice(0, nameWidth - 2)}~` : name).padEnd(nameWidth)}`,
        cell(perSecond(requestsPerSecond), 7),
        [
          success === undefined || success === 1 ? "green" : success >= 0.99 ? "yellow" : "red",
          cell(successText(success), 8),
        ],
        `${cell(latencyText(p50Ms), 7)}${cell(latencyText(p95Ms), 7)}${cell(latencyText(p99Ms), 7)}`,
        [retries > 0 ? "yellow" : "dim", cell(retryText(retries), 7)],
        `  ${shareText(versions)}`,
      ),
    );
  });
  if (edges.length === 0) rows.push(line(["dim", " no calls seen yet: send a request to one of the services"]));
  return rows;
}

/** The step under way, with what was said in it; the end of it when there is not room for all. */
function storyLines(events: readonly SessionEvent[], columns: number): Line[] {
  const from = events.findLastIndex(({ kind }) => kind === "step");
  const step = events[from];
  if (step === undefined) return [];
  const said = events
    .slice(from + 1)
    .filter(({ kind }) => kind === "say")
    .flatMap(({ text }) => wrapText(text, columns - 4).map((part) => line(`   ${part}`)));
  return [line(["bold", ` ${step.text}`]), ...said.slice(-(MAX_STORY - 1))];
}

function eventLines(events: readonly SessionEvent[], columns: number, scripted: boolean): Line[] {
  return events
    .filter(({ kind }) => !scripted || (kind !== "step" && kind !== "say"))
    .slice(-60)
    .flatMap(({ kind, at, source, text }) => {
      const time = new Date(at).toTimeString().slice(0, 8);
      const style = EVENT_STYLES[kind];
      if (kind === "output") return [line(["dim", ` ${time} ${source} | ${printable(text)}`])];
      return wrapText(printable(text), columns - 11).map((part, index) =>
        line(["dim", ` ${index === 0 ? time : " ".repeat(8)} `], style === undefined ? part : [style, part]),
      );
    });
}

function helpLines(): Line[] {
  return [line(["bold", " keys"]), ...KEY_HELP.map(([key, text]) => line("   ", ["bold", key], `  ${text}`))];
}

function footLine({ policy, fault }: ScreenModel): Line {
  const o = policy === "off" ? "policy on" : "policy off";
  const f = fault === "" ? "fault" : "stop fault";
  const keys = [
    ["k", "kill"],
    ["o", o],
    ["f", f],
    ["w", "last request"],
    ["?", "help"],
    ["q", "quit"],
  ] as const;
  return line(...keys.flatMap(([key, text]) => [" ", ["bold", key] as const, ` ${text} `]));
}

function ruleLine(title: string, columns: number, { rule }: Glyphs): Line {
  return line(["dim", ` ${rule.repeat(2)} ${title} ${rule.repeat(Math.max(0, columns - title.length - 6))}`]);
}
