/** Every code that inmesh says, explained without a network: problems of configuration and errors of calls. */

import { MESH_ERRORS, type MeshErrorCode } from "@inmesh/core";
import { REGISTRY_PROBLEMS } from "@inmesh/core/internal";
import { DOCUMENT_PROBLEM_CODES, SET_PROBLEM_CODES } from "@inmesh/model";
import { ERROR_HELP } from "./error-help.js";
import { GOOD_DOCUMENTS, GOOD_ELSEWHERE } from "./good-example.js";
import { PROBLEM_HELP } from "./problem-help.js";

export interface ExplainedCode {
  readonly code: string;
  readonly type: "problem" | "error";
  readonly meaning: string;
  /** Of a problem. */
  readonly severity: string | null;
  /** Of an error: what the caller gets; 0 where no answer is made. */
  readonly status: number | null;
  readonly grpcStatus: number | null;
  readonly retryable: boolean | null;
  /** Envoy's response flag. */
  readonly flag: string | null;
  readonly remedy: string;
  /** A message, or documents that have the problem. */
  readonly example: string;
  /** Of a problem: the same put right. */
  readonly good: string | null;
}

const OURS: Readonly<Record<string, string>> = {
  ...DOCUMENT_PROBLEM_CODES,
  ...SET_PROBLEM_CODES,
  ...REGISTRY_PROBLEMS,
};

/** Problems first, then errors, each in the order of their tables. */
export function allCodes(): readonly string[] {
  return [...new Set([...Object.keys(PROBLEM_HELP), ...Object.keys(OURS), ...Object.keys(MESH_ERRORS)])];
}

/** @returns undefined for what is no code */
export function explainCode(text: string): ExplainedCode | undefined {
  const code = text.toUpperCase().replaceAll("-", "_");
  if (Object.hasOwn(MESH_ERRORS, code)) {
    const { meaning, status, grpcStatus, retryable, flag } = MESH_ERRORS[code as MeshErrorCode];
    const { remedy = "", example = "" } = Object.hasOwn(ERROR_HELP, code) ? (ERROR_HELP[code] ?? {}) : {};
    return {
      code,
      type: "error",
      meaning,
      severity: null,
      status,
      grpcStatus,
      retryable,
      flag,
      remedy,
      example,
      good: null,
    };
  }
  const none = { status: null, grpcStatus: null, retryable: null, flag: null };
  if (Object.hasOwn(PROBLEM_HELP, code)) {
    const { severity, when, remedy, yaml, message = "" } = PROBLEM_HELP[code]!; // just asked
    return {
      code,
      type: "problem",
      meaning: when,
      severity,
      ...none,
      remedy,
      example: yaml ?? message,
      good: goodExample(code),
    };
  }
  if (!Object.hasOwn(OURS, code)) return undefined;
  return {
    code,
    type: "problem",
    meaning: OURS[code] ?? "",
    severity: "error",
    ...none,
    remedy: "",
    example: "",
    good: null,
  };
}

function goodExample(code: string): string | null {
  if (Object.hasOwn(GOOD_DOCUMENTS, code)) return GOOD_DOCUMENTS[code] ?? null;
  return Object.hasOwn(GOOD_ELSEWHERE, code) ? (GOOD_ELSEWHERE[code] ?? null) : null;
}

/** Markdown of a page as a terminal shows it: links by their text, code without quotes. */
export function plainText(markdown: string): string {
  return markdown.replace(/\[([^\]]+)\]\([^)]*\)/g, "$1").replace(/`([^`]+)`/g, "$1");
}
