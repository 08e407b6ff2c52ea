/** Rules of header operations, on a route or on one of its destinations. policy-semantics §1.6. */

import type { HeadersSpec } from "../kind/virtual-service.js";
import type { Path } from "../resource.js";
import { headerValueFault, operationNameFault } from "./header-syntax.js";
import type { Report } from "./report.js";

export function checkHeaders(headers: HeadersSpec | undefined, path: Path, report: Report): void {
  for (const direction of ["request", "response"] as const) {
    const operations = headers?.[direction];
    for (const operation of ["set", "add"] as const) {
      for (const [name, value] of Object.entries(operations?.[operation] ?? {})) {
        const at = [...path, direction, operation, name];
        report.check(at, operationNameFault(name, direction === "request"));
        report.check(at, headerValueFault(value));
      }
    }
    for (const [index, name] of (operations?.remove ?? []).entries()) {
      report.check([...path, direction, "remove", index], operationNameFault(name, false));
    }
  }
}
