/** `inmesh certs`: which identity each process has, until when, and by which roots it knows the others. */

import type { CertificateView, CertsView, IdentityView } from "@inmesh/core/admin";
import { Command } from "commander";
import { hexOf } from "../ca/unaware-processes.js";
import type { Cli } from "../cli.js";
import { CliError, EXIT } from "../exit.js";
import { adminClient } from "../live/admin-client.js";
import { processName, type Reading, readProcesses } from "../live/processes.js";
import {
  formatOf,
  inNamespace,
  namespaceOf,
  type RegistryOptions,
  withAllNamespaces,
  withCommon,
  withRegistry,
} from "../options.js";
import { formatMs, LIST_FORMATS, printListing } from "../output/format.js";
import { parseServiceName } from "../registry/client-context.js";
import { noProcess, withOpenRegistry } from "../registry/open-registry.js";
import { withRemote } from "./change.js";
import { action, type CommandPorts } from "./define.js";

interface CertsOptions extends RegistryOptions {
  readonly remote?: boolean;
}

interface CertsRow {
  /** `namespace/instance`. */
  readonly name: string;
  readonly namespace: string;
  readonly service: string;
  readonly instance: string;
  /** Null when it did not answer. */
  readonly identity: IdentityView | null;
  readonly chain: readonly CertificateView[];
  readonly roots: CertsView["roots"];
  /** By which it verifies tokens. */
  readonly tokenKeys: NonNullable<CertsView["tokenKeys"]>;
  /** Of the leaf; null without one. */
  readonly expiresInMs: number | null;
  /** The root that ends first; null without one. */
  readonly rootExpiresInMs: number | null;
  /** Why it is not as it should be; empty when it is. */
  readonly reason: string;
}

const EXAMPLES = `
States:
  ready      has a certificate that is renewed in time
  failing    its certificate holds, but its renewal fails, or is late
  expired    its certificate does not hold any more: it cannot call over mTLS, nor be called
  starting   waits for its first certificate
  off        has no identity by its setting: it calls in plaintext
`;

export function certsCommand(ports: CommandPorts): Command {
  const command = new Command("certs")
    .description("list the identities of the running processes, their certificates and the roots they trust")
    .argument("[service]", "processes of this service only")
    .addHelpText("after", EXAMPLES);
  return withRemote(withAllNamespaces(withRegistry(withCommon(command, LIST_FORMATS)))).action(
    action<[string | undefined], CertsOptions>(ports, (cli, [service], options) =>
      withOpenRegistry(options, cli, async (registry) => {
        const wanted = service === undefined ? undefined : parseServiceName(service, namespaceOf(options, cli));
        const leases = registry.view.leases
          .filter(inNamespace(options))
          .filter((lease) => wanted === undefined || isOf(lease, wanted));
        if (wanted !== undefined && leases.length === 0) {
          throw new CliError(
            EXIT.bad,
            `no process of ${wanted.namespace}/${wanted.service} is registered`,
            "See which are: inmesh status",
          );
        }
        const readings = await readProcesses<CertsView>(adminClient(cli, options), leases, "/certs", [
          "identity",
          "chain",
          "roots",
        ]);
        const now = cli.io.clock.wallTime();
        print(
          cli,
          options,
          readings.map((reading) => certsRow(reading, now)),
          noProcess(registry),
          now,
        );
        return EXIT.ok;
      }),
    ),
  );
}

function print(cli: Cli, options: CertsOptions, rows: readonly CertsRow[], empty: string, now: number): void {
  printListing(cli, formatOf(options), {
    rows,
    json: { workloads: rows, roots: rootsOf(rows, now) },
    name: ({ name }) => name,
    empty,
    columns: [
      { title: "DATA PLANE", cell: ({ name }) => name },
      { title: "IDENTITY", cell: ({ identity }) => identity?.id ?? "" },
      { title: "EXPIRES IN", cell: ({ expiresInMs }) => lifeText(expiresInMs), align: "right" },
      { title: "ROOT EXPIRES IN", cell: ({ rootExpiresInMs }) => lifeText(rootExpiresInMs), align: "right" },
      { title: "STATE", cell: stateText, paint: (text, row) => cli.paint(STYLES[stateOf(row)], text) },
      { title: "SERIAL", cell: ({ chain }) => chain[0]?.serial ?? "", wide: true },
      {
        title: "AGE",
        cell: ({ chain: [leaf] }) =>
          leaf === undefined ? "" : formatMs(Math.max(0, now - Date.parse(leaf.notBefore))),
        align: "right",
        wide: true,
      },
      { title: "ROOTS", cell: rootText, wide: true },
      { title: "TOKEN KEYS", cell: tokenKeysText, wide: true },
      { title: "FROM", cell: ({ identity }) => identity?.source ?? "", wide: true },
    ],
  });
  const strangers = withoutCommonRoot(rows);
  if (strangers !== undefined)
    cli.warn(`${strangers[0]} and ${strangers[1]} trust no root in common: they refuse each other`);
}

const STYLES = {
  ready: "green",
  failing: "yellow",
  expired: "red",
  starting: "cyan",
  off: "dim",
  unreachable: "red",
} as const;

function certsRow({ lease, view, failure }: Reading<CertsView>, now: number): CertsRow {
  const { namespace, service, instance } = lease;
  const { identity = null, chain = [], roots = [], tokenKeys = [] } = view ?? {};
  const ends = roots.flatMap(({ certificates }) => certificates.map(({ notAfter }) => Date.parse(notAfter) - now));
  return {
    ...{ name: processName(lease), namespace, service, instance, identity, chain, roots, tokenKeys },
    expiresInMs: identity?.notAfter === undefined ? null : Date.parse(identity.notAfter) - now,
    rootExpiresInMs: ends.length === 0 ? null : Math.min(...ends),
    reason: failure ?? identity?.reason ?? "",
  };
}

function stateOf({ identity }: CertsRow): keyof typeof STYLES {
  return identity === null ? "unreachable" : identity.state;
}

function stateText(row: CertsRow): string {
  const state = stateOf(row);
  return row.reason === "" ? state : `${state}: ${row.reason}`;
}

function lifeText(ms: number | null): string {
  if (ms === null) return "";
  return ms > 0 ? formatMs(ms) : "expired";
}

/** `cluster.local 1b20c3d4 5e6f7081`: what a process knows others by. */
function rootText({ roots }: CertsRow): string {
  return roots
    .map(({ trustDomain, certificates }) =>
      [trustDomain, ...certificates.map(({ fingerprint }) => hexOf(fingerprint).slice(0, 8))].join(" "),
    )
    .join("; ");
}

/** `https://issuer 2 keys, 12m old`: how long ago they were fetched. */
function tokenKeysText({ tokenKeys }: CertsRow): string {
  return tokenKeys
    .map(({ issuer, source, keys, ageMs, reason }) => {
      const age = source === "inline" ? ", inline" : ageMs === null ? "" : `, ${formatMs(ageMs)} old`;
      return `${issuer} ${keys} ${keys === 1 ? "key" : "keys"}${age}${reason === undefined ? "" : `: ${reason}`}`;
    })
    .join("; ");
}

/** Every root that some process trusts, once, with how many do. */
function rootsOf(rows: readonly CertsRow[], now: number) {
  const found = new Map<string, { trustDomain: string; root: CertificateView; trustedBy: number }>();
  for (const { roots } of rows) {
    for (const { trustDomain, certificates } of roots) {
      for (const root of certificates) {
        const key = `${trustDomain} ${hexOf(root.fingerprint)}`;
        found.set(key, { trustDomain, root, trustedBy: (found.get(key)?.trustedBy ?? 0) + 1 });
      }
    }
  }
  return [...found.values()].map(({ trustDomain, root, trustedBy }) => {
    const { serial, subject, notBefore, notAfter } = root;
    const fingerprint = hexOf(root.fingerprint);
    const ages = { ageMs: now - Date.parse(notBefore), expiresInMs: Date.parse(notAfter) - now };
    return { trustDomain, fingerprint, serial, subject, notBefore, notAfter, ...ages, trustedBy };
  });
}

/** The first two that could not speak to each other. */
function withoutCommonRoot(rows: readonly CertsRow[]): readonly [string, string] | undefined {
  const sets = rows
    .filter(({ roots }) => roots.length > 0)
    .map(({ name, roots }) => ({
      name,
      known: new Set(roots.flatMap(({ certificates }) => certificates.map(({ fingerprint }) => hexOf(fingerprint)))),
    }));
  const [first, ...others] = sets;
  const other = others.find(({ known }) => ![...known].some((root) => first?.known.has(root)));
  return first === undefined || other === undefined ? undefined : [first.name, other.name];
}

function isOf(
  lease: { readonly namespace: string; readonly service: string },
  wanted: { readonly namespace: string; readonly service: string },
): boolean {
  return lease.namespace === wanted.namespace && lease.service === wanted.service;
}
