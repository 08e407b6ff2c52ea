/** What a process remembers of its last calls and requests, as JSON: GET /outcomes, and its dumps. */

import type { OutcomeRecord } from "../telemetry/outcome-record.js";
import { hasFailed, type OutcomeView, outcomeView } from "./outcome-view.js";

export interface OutcomesQuery {
  /** Of a trace, or an `x-request-id`. */
  readonly id?: string;
  /** Only those that failed. @default false */
  readonly failed?: boolean;
  /** @default all */
  readonly limit?: number;
}

/** @param records newest first */
export function outcomesOf(
  records: readonly OutcomeRecord[],
  { id, failed = false, limit = records.length }: OutcomesQuery = {},
): readonly OutcomeView[] {
  const wanted = records.filter((record) => (!failed || hasFailed(record)) && (id === undefined || hasId(record, id)));
  return wanted.slice(0, limit).map(outcomeView);
}

/** By trace, or by request id. */
export function hasId({ traceId, requestId }: Pick<OutcomeView, "traceId" | "requestId">, id: string): boolean {
  return id !== "" && (traceId === id.toLowerCase() || requestId === id);
}
