/** Commands in header values (`%REQ(x)%`) that the data path fills in, and those it leaves as they are. */

import type { HeaderOperationsSpec, HeadersSpec, VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Path, Resource } from "../resource.js";
import type { Finding } from "./finding.js";

/** What core/src/call/request-edit.ts expands. */
const EXPANDED: ReadonlySet<string> = new Set(["REQ", "PROTOCOL"]);
const COMMAND = /%(?:%|([A-Z_]+)(?:\([^)]*\))?(?::\d+)?%)/g;

export function checkHeaderCommands(resource: Resource<VirtualServiceSpec>, report: Finding): void {
  for (const [index, rule] of (resource.spec.http ?? []).entries()) {
    const at = ["spec", "http", index];
    checkHeaders(rule.headers, [...at, "headers"]);
    for (const [n, { headers }] of (rule.route ?? []).entries()) checkHeaders(headers, [...at, "route", n, "headers"]);
  }

  function checkHeaders(headers: HeadersSpec | undefined, path: Path): void {
    for (const side of ["request", "response"] as const) checkOperations(headers?.[side], [...path, side]);
  }

  function checkOperations(operations: HeaderOperationsSpec | undefined, path: Path): void {
    for (const kind of ["set", "add"] as const) {
      for (const [name, value] of Object.entries(operations?.[kind] ?? {})) {
        const unknown = [...value.matchAll(COMMAND)]
          .map(([, command]) => command)
          .find((command) => command && !EXPANDED.has(command));
        if (unknown === undefined) continue;
        const message = `%${unknown}% is not filled in by inmesh: the header is sent with the command in it. Use %REQ(name)% or %PROTOCOL%, or set the header in the service.`;
        report(resource, [...path, kind, name], "IM0301", "warning", message);
      }
    }
  }
}
