/** How Gateway API writes the names of what a route speaks for and sends to. policy-semantics §5.1. */

import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import type { Report } from "./report.js";

interface Reference {
  readonly group?: string | undefined;
  readonly kind?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly sectionName?: string | undefined;
}

const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const LABEL = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
const KIND = /^[a-zA-Z](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$/;
const MAX_SUBDOMAIN_LENGTH = 253;
const MAX_LABEL_LENGTH = 63;
const MAX_KIND_LENGTH = 63;

/** Whether `name` is there is asked by whoever says what it should name. */
export function checkReference(reference: Reference, path: Path, report: Report): void {
  const { group = "", kind, namespace, name = "", sectionName } = reference;
  if (group !== "") report.check([...path, "group"], subdomainFault(group, "a group such as networking.istio.io"));
  if (kind !== undefined && !(KIND.test(kind) && kind.length <= MAX_KIND_LENGTH)) {
    report.error([...path, "kind"], `found ${quote(kind)}, expected a kind such as Service. Correct it.`);
  }
  if (namespace !== undefined && !(LABEL.test(namespace) && namespace.length <= MAX_LABEL_LENGTH)) {
    report.error([...path, "namespace"], `found ${quote(namespace)}, expected a namespace such as shop. Correct it.`);
  }
  if (name.length > MAX_SUBDOMAIN_LENGTH) {
    report.error([...path, "name"], `the name is longer than ${MAX_SUBDOMAIN_LENGTH} characters. Shorten it.`);
  }
  if (sectionName !== undefined) report.check([...path, "sectionName"], sectionNameFault(sectionName));
}

/** Of a port's name, and of a rule's. */
export function sectionNameFault(name: string): string | undefined {
  return subdomainFault(name, "a name such as http");
}

function subdomainFault(text: string, expected: string): string | undefined {
  if (SUBDOMAIN.test(text) && text.length <= MAX_SUBDOMAIN_LENGTH) return undefined;
  return `found ${quote(text)}, expected ${expected}: small letters, digits, "-" and ".". Correct it.`;
}
