/** Rules of what a route sends to, be it requests or copies of them. policy-semantics §5.3. */

import type { GatewayBackendObjectSpec } from "../kind/gateway-http-route.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { checkReference } from "./gateway-reference.js";
import { portFault } from "./name-syntax.js";
import type { Report } from "./report.js";

export function checkBackendRef(backend: GatewayBackendObjectSpec, path: Path, report: Report): void {
  const { group = "", kind = "Service", name = "", port } = backend;
  checkReference(backend, path, report);
  if (name === "") report.error(path, "the backend has no name. Name the Service.");
  if (port !== undefined) report.check([...path, "port"], portFault(port));
  else if (group === "" && kind === "Service") {
    report.error(path, `the backend ${quote(name)} has no port. Add one: a Service is called on a port.`);
  }
}
