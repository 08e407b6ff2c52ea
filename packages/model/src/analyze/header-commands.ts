/** Commands in header values (`%REQ(x)%`) that the data path fills in, and those it leaves as they are. */

import type { MeshConfigSpec } from "../kind/mesh-config.js";
import type { HeaderOperationsSpec, HeadersSpec, VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Path, Resource } from "../resource.js";
import type { Finding } from "./finding.js";

/** What core/src/call/request-edit.ts expands. */
const EXPANDED: ReadonlySet<string> = new Set(["REQ", "PROTOCOL"]);
/** What core/src/security/check-header-value.ts fills in. */
const IN_CHECKS: ReadonlySet<string> = new Set([
  ...["REQ", "PROTOCOL", "REQUESTED_SERVER_NAME", "DOWNSTREAM_PEER_URI_SAN", "DOWNSTREAM_LOCAL_PORT"],
  ...["DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT"],
  "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
]);
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
        const unknown = unknownIn(value, EXPANDED);
        if (unknown === undefined) continue;
        const message = `%${unknown}% is not filled in by inmesh: the header is sent with the command in it. Use %REQ(name)% or %PROTOCOL%, or set the header in the service.`;
        report(resource, [...path, kind, name], "IM0301", "warning", message);
      }
    }
  }
}

/** Those of headers that authorizers are sent. */
export function checkAuthorizerHeaders(resource: Resource<MeshConfigSpec>, report: Finding): void {
  for (const [index, { envoyExtAuthzHttp }] of (resource.spec.extensionProviders ?? []).entries()) {
    const field = "includeAdditionalHeadersInCheck";
    for (const [name, value] of Object.entries(envoyExtAuthzHttp?.[field] ?? {})) {
      const unknown = unknownIn(value, IN_CHECKS);
      if (unknown === undefined) continue;
      const message = `%${unknown}% is not filled in by inmesh: the authorizer is sent the command as it stands. Use one of ${[...IN_CHECKS].join(", ")}.`;
      const path = ["spec", "extensionProviders", index, "envoyExtAuthzHttp", field, name];
      report(resource, path, "IM0301", "warning", message);
    }
  }
}

function unknownIn(value: string, known: ReadonlySet<string>): string | undefined {
  const commands = [...value.matchAll(COMMAND)].map(([, command]) => command);
  return commands.find((command) => command !== undefined && command !== "" && !known.has(command));
}
