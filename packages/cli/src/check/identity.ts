/** Identities of the running processes: whether each has one that lasts, by which roots, and who still calls in plaintext. */

import type { Lease } from "@inmesh/core";
import type { CertificateView, CertsView, StatsView } from "@inmesh/core/admin";
import type { Cli } from "../cli.js";
import { adminClient } from "../live/admin-client.js";
import { processName, type Reading, readProcesses } from "../live/processes.js";
import { count, formatMs } from "../output/format.js";
import type { OpenRegistry } from "../registry/open-registry.js";
import { error, type Finding, ok, type Section, warning } from "./section.js";

/** A root that ends sooner is to be rotated now: every certificate of the mesh ends with it. In ms. */
const ROOT_SOON_MS = 30 * 86_400_000;
/** Clocks of machines that are kept by NTP agree better than this. In ms. */
const SKEW_MS = 5_000;
const TOLD = 5;

export async function checkIdentity(
  cli: Cli,
  options: { readonly remote?: boolean; readonly timeout: number },
  { view: { leases } }: OpenRegistry,
): Promise<Section | undefined> {
  if (leases.length === 0) return undefined;
  const client = adminClient(cli, options);
  const certs = await readProcesses<CertsView>(client, leases, "/certs", ["identity", "chain", "roots"]);
  const stats = await readProcesses<StatsView>(client, leases, "/stats", ["inbound", "outbound"]);
  const now = cli.io.clock.wallTime();
  const findings = [...leafFindings(certs, now), ...rootFindings(certs, now), ...plaintextFindings(stats)];
  return findings.length === 0 ? undefined : { name: "identity", findings };
}

type CertsReading = Reading<CertsView>;

function leafFindings(readings: readonly CertsReading[], now: number): Finding[] {
  const findings: Finding[] = [];
  const without: Lease[] = [];
  let soonest: number | undefined;
  let next: number | undefined;
  let ready = 0;
  for (const { lease, view } of readings) {
    if (view === undefined) continue;
    const { state, reason = "", notBefore, notAfter, renewsAt } = view.identity;
    const who = processName(lease);
    if (state === "off") without.push(lease);
    else if (state === "expired") findings.push(error(`${who} has an expired certificate: ${reason}`, LOOK));
    else if (state === "failing") findings.push(warning(`${who} cannot renew its certificate: ${reason}`, LOOK));
    else if (state === "starting")
      findings.push(warning(`${who} has no certificate yet: ${reason || "it starts"}`, LOOK));
    else {
      ready += 1;
      const left = Date.parse(notAfter ?? "") - now;
      if (soonest === undefined || left < soonest) soonest = left;
      const renewal = Date.parse(renewsAt ?? "") - now;
      if (!Number.isNaN(renewal) && (next === undefined || renewal < next)) next = renewal;
    }
    const ahead = Date.parse(notBefore ?? "") - now;
    if (ahead > SKEW_MS) {
      findings.push(
        warning(
          `the certificate of ${who} begins in ${formatMs(ahead)}: its clock, its authority's or this machine's is wrong`,
          "Compare the clocks; others refuse a certificate that is not valid yet.",
        ),
      );
    }
  }
  if (ready > 0 && soonest !== undefined) {
    const renewed = next === undefined ? "" : `; next renewal in ${formatMs(Math.max(0, next))}`;
    findings.unshift(
      ok(`${count(ready, "process", "processes")} with an identity, the first ends in ${formatMs(soonest)}${renewed}`),
    );
  }
  if (without.length > 0) {
    const names = without.slice(0, TOLD).map(processName).join(", ");
    const message = `${count(without.length, "process has", "processes have")} no identity (${names}): calls of and to them are in plaintext`;
    // Nobody has one: the mesh is meant to be so, until somebody decides otherwise.
    findings.push(ready === 0 ? ok(message) : warning(message, "Set INMESH_IDENTITY there: docs/guides/identity.md"));
  }
  return findings;
}

const LOOK = "See: inmesh certs, and the log of that process";

function rootFindings(readings: readonly CertsReading[], now: number): Finding[] {
  const roots = new Map<string, { readonly domain: string; readonly root: CertificateView }>();
  for (const { view } of readings) {
    for (const { trustDomain, certificates } of view?.roots ?? []) {
      for (const root of certificates) roots.set(root.fingerprint, { domain: trustDomain, root });
    }
  }
  return [...roots.values()].map(({ domain, root }) => {
    const left = Date.parse(root.notAfter) - now;
    const age = formatMs(Math.max(0, now - Date.parse(root.notBefore)));
    if (left > ROOT_SOON_MS) return ok(`the root of ${domain} is ${age} old and valid for ${formatMs(left)}`);
    const ends = left > 0 ? `ends in ${formatMs(left)}` : "has ended";
    return (left > 0 ? warning : error)(
      `the root of ${domain} ${ends}, and every certificate with it`,
      "Run: inmesh ca rotate --root",
    );
  });
}

function plaintextFindings(readings: readonly Reading<StatsView>[]): Finding[] {
  return readings.flatMap(({ lease, view }) => {
    const plain = view?.security?.callers.filter(({ secured, requests }) => !secured && requests > 0) ?? [];
    if (plain.length === 0) return [];
    const names = plain
      .slice(0, TOLD)
      .map(({ caller }) => caller)
      .join(", ");
    return [
      warning(
        `${processName(lease)} is called in plaintext by ${count(plain.length, "caller")}: ${names}`,
        "PeerAuthentication STRICT would refuse them. See: inmesh edges",
      ),
    ];
  });
}
