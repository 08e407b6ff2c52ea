/** A judgement as people read it. */

import type { Authorization, AuthorizedBy } from "@inmesh/core";
import type { ServerAccess } from "../registry/server-access.js";
import { type Paint, printable } from "./paint.js";

export function formatAuthorization(answer: Authorization, paint: Paint): string {
  const { allowed, status, decidedBy, path, audit, dryRun, reason } = answer;
  const lines: [title: string, text: string][] = [];
  const add = (title: string, texts: readonly string[]): void => {
    for (const [at, text] of texts.entries()) lines.push([at === 0 ? title : "", printable(text)]);
  };
  if (path !== "") add("path", [path]);
  add("by", decidedBy === null ? [] : [ruleText(decidedBy)]);
  add("why", [reason]);
  add("audit", audit.map(ruleText));
  add(
    "dry run",
    dryRun.map(({ policy, wouldAllow }) => `${policy} would ${wouldAllow ? "let it in" : "deny it"}`),
  );
  const result = allowed ? "allowed" : `denied, the caller gets ${status}`;
  const titled = lines.map(([title, text]) => `${paint("bold", title.padEnd(9))} ${text}\n`);
  return `${titled.join("")}${paint("bold", "result".padEnd(9))} ${paint(allowed ? "green" : "red", result)}\n`;
}

/** What the services that are called make of the request; nothing where their policy does not speak. */
export function formatAccess(all: readonly ServerAccess[], paint: Paint): string {
  return all
    .map(({ to, principal, allowed, reason }) => {
      const who = principal === "" ? "a caller without certificate" : principal;
      const text = printable(`${to} ${allowed ? "lets in" : "denies"} ${who}: ${reason}`);
      return `${paint("bold", "server".padEnd(9))} ${paint(allowed ? "green" : "red", text)}\n`;
    })
    .join("");
}

function ruleText({ action, policy, rule }: AuthorizedBy): string {
  return rule < 0 ? `${policy}, which is not valid` : `rule ${rule} of ${policy}, action ${action}`;
}
