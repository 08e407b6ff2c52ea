/** What the runner and the processes of clients tell each other. */

import type { Feature } from "./client/client.js";
import type { FamilyName } from "./client/families.js";
import type { ServerName } from "./server/server-kind.js";

/** A running server, as its process announced it. */
export interface ServerFacts {
  readonly id: ServerName;
  /** For people. */
  readonly name: string;
  readonly lacks: Readonly<Partial<Record<Feature, string>>>;
  readonly pid: number;
  readonly v1: number;
  readonly v2: number;
  /** Port that tells what became of requests. */
  readonly control: number;
}

export interface Cell {
  readonly family: FamilyName;
  readonly client: string;
  readonly server: ServerName;
  readonly group: string;
  readonly scenario: string;
  readonly outcome: "pass" | "fail" | "skip";
  /** Why it was skipped, or what was found and what was expected. */
  readonly detail: string;
  readonly ms: number;
  readonly tally?: { readonly v1: number; readonly v2: number };
}

export type ToClients =
  | { readonly type: "run"; readonly family: FamilyName; readonly servers: readonly ServerFacts[] }
  /** Call every service until told to stop. */
  | { readonly type: "load" }
  | { readonly type: "stop" }
  | { readonly type: "end" };

export type FromClients =
  | { readonly type: "cells"; readonly cells: readonly Cell[] }
  /** Each service was seen to be served by two processes. */
  | { readonly type: "spread" }
  | { readonly type: "failed"; readonly error: string };
