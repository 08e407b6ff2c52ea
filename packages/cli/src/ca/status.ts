/** `inmesh ca status`: what signs, what is trusted, until when, and what is to be done next. */

import type { AuthorityFolder, IssueEntry, LoadedAuthority, RootState } from "@inmesh/identity/ca";
import { Command } from "commander";
import type { Cli } from "../cli.js";
import { action, type CommandPorts } from "../command/define.js";
import { EXIT } from "../exit.js";
import { formatOf } from "../options.js";
import { type Format, formatMs, printData } from "../output/format.js";
import { formatTable } from "../output/table.js";
import { asked, authorityFolder, type CaOptions, withAuthority } from "./authority.js";
import { policyTrustDomain } from "./policy-trust-domain.js";

interface CertificateRow {
  readonly name: string;
  readonly role: "root" | "intermediate";
  /** Of a root. The intermediate is active. */
  readonly state: RootState;
  readonly subject: string;
  readonly serial: string;
  /** SHA-256, in hex. */
  readonly fingerprint: string;
  /** ISO 8601. */
  readonly notBefore: string;
  readonly notAfter: string;
  /** Of a retired root: when it is no longer trusted. */
  readonly trustedUntil: string | null;
  /** Where its key is; that of a retired root is removed. */
  readonly key: "here" | "elsewhere" | "removed";
  readonly ageMs: number;
  readonly expiresInMs: number;
}

export interface CaStatus {
  readonly directory: string;
  readonly trustDomains: readonly string[];
  /** Of policy; null where there is none to ask. */
  readonly policyTrustDomain: string | null;
  readonly maxTtlMs: number;
  readonly certificates: readonly CertificateRow[];
  /** The newest first. */
  readonly issued: readonly IssueEntry[];
  /** What somebody should do, a sentence each. */
  readonly advice: readonly string[];
}

/** Of the log, shown as data. */
const MOST_ISSUED = 20;
const DAY_MS = 86_400_000;
/** An intermediate holds since so long before it was made. */
const BACKDATED_MS = 3_600_000;

export function statusCommand(ports: CommandPorts): Command {
  const command = new Command("status").description(
    "show roots and intermediate with their ages, and what is to be done",
  );
  return withAuthority(command).action(
    action<[], CaOptions>(ports, async (cli, _, options) => {
      const folder = await authorityFolder(options, cli);
      const wanted = await policyTrustDomain(options, cli);
      await printStatus(folder, formatOf(options), cli, wanted);
      return EXIT.ok;
    }),
  );
}

export async function printStatus(folder: AuthorityFolder, format: Format, cli: Cli, wanted?: string): Promise<void> {
  const status = await asked(() => caStatus(folder, wanted));
  const { trustDomains, maxTtlMs, certificates, issued, advice } = status;
  if (format === "json" || format === "yaml") return printData(cli, format, status);
  cli.print(
    `The CA in ${status.directory} names workloads of ${trustDomains.join(", ")}, for ${formatMs(maxTtlMs)} at most.\n`,
  );
  const now = cli.io.clock.wallTime();
  cli.print(
    formatTable(certificates, [
      { title: "CERTIFICATE", cell: ({ name }) => name },
      { title: "STATE", cell: ({ role, state }) => (role === "root" ? ROOT_WORDS[state] : "signs leaves") },
      { title: "AGE", cell: ({ ageMs }) => formatMs(ageMs), align: "right" },
      {
        title: "EXPIRES IN",
        cell: ({ expiresInMs }) => (expiresInMs > 0 ? formatMs(expiresInMs) : "expired"),
        align: "right",
        paint: (text, { expiresInMs }) => (expiresInMs > 30 * DAY_MS ? text : cli.paint("red", text)),
      },
      { title: "KEY", cell: ({ key }) => key },
    ]),
  );
  const [last] = issued.filter(({ event }) => event === "issued");
  if (last !== undefined)
    cli.print(`Last issued: ${last.id}, ${formatMs(Math.max(0, now - Date.parse(last.at)))} ago.\n`);
  for (const line of advice) cli.warn(line);
}

const ROOT_WORDS: Readonly<Record<RootState, string>> = {
  next: "trusted, signs next",
  active: "trusted, signs",
  retired: "trusted until its leaves are gone",
};

async function caStatus(folder: AuthorityFolder, wanted: string | undefined): Promise<CaStatus> {
  const { noAuthority, OVERLAP_MS } = await import("@inmesh/identity/ca");
  const loaded = await folder.load();
  if (loaded === undefined) throw noAuthority(folder.directory);
  const { record } = loaded;
  const certificates = await certificateRows(folder, loaded);
  return {
    directory: folder.directory,
    trustDomains: record.trustDomains,
    policyTrustDomain: wanted ?? null,
    maxTtlMs: record.maxTtlMs,
    certificates,
    issued: await folder.log.read(MOST_ISSUED),
    advice: adviceFor(loaded, certificates, folder.clock.wallTime(), OVERLAP_MS, wanted),
  };
}

async function certificateRows(folder: AuthorityFolder, loaded: LoadedAuthority): Promise<readonly CertificateRow[]> {
  const { record, roots, intermediate } = loaded;
  const now = folder.clock.wallTime();
  const iso = (wallTime: number) => new Date(wallTime).toISOString();
  const row = (
    name: string,
    { certificate }: Pick<LoadedAuthority["intermediate"], "certificate">,
    madeAt = certificate.notBefore + BACKDATED_MS,
  ) => {
    const { x509, serial, fingerprint, notBefore, notAfter } = certificate;
    return {
      ...{ name, subject: (x509.subject ?? "").replaceAll("\n", ", "), serial, fingerprint },
      ...{
        notBefore: iso(notBefore),
        notAfter: iso(notAfter),
        ageMs: Math.max(0, now - madeAt),
        expiresInMs: notAfter - now,
      },
    };
  };
  const rootRows = roots.map(async (root): Promise<CertificateRow> => {
    const absent = root.state === "retired" ? "removed" : "elsewhere";
    const key = (await folder.rootKey(root)) === undefined ? absent : "here";
    const trustedUntil = root.until === undefined ? null : iso(root.until);
    return { ...row(root.name, root, root.addedAt), role: "root", state: root.state, trustedUntil, key };
  });
  const signing = row(record.intermediate, intermediate);
  return [
    ...(await Promise.all(rootRows)),
    { ...signing, role: "intermediate", state: "active", trustedUntil: null, key: "here" },
  ];
}

function adviceFor(
  { record, roots }: LoadedAuthority,
  certificates: readonly CertificateRow[],
  now: number,
  overlapMs: number,
  wanted: string | undefined,
): readonly string[] {
  const advice: string[] = [];
  const next = roots.find(({ state }) => state === "next");
  if (next !== undefined) {
    const waits = next.addedAt + overlapMs - now;
    const when = waits > 0 ? `in ${formatMs(waits)}` : "now";
    advice.push(`a new root is trusted and signs nothing yet: run inmesh ca rotate --root ${when}`);
  }
  const [root] = certificates.filter(({ role, state }) => role === "root" && state === "active");
  const [intermediate] = certificates.filter(({ role }) => role === "intermediate");
  if (root !== undefined && root.expiresInMs < 365 * DAY_MS && next === undefined)
    advice.push(`the root expires in ${formatMs(Math.max(0, root.expiresInMs))}: run inmesh ca rotate --root`);
  if (intermediate !== undefined && intermediate.expiresInMs < 60 * DAY_MS) {
    const how = root?.key === "here" ? "inmesh ca rotate" : "inmesh ca rotate --root-key FILE";
    advice.push(`the intermediate expires in ${formatMs(Math.max(0, intermediate.expiresInMs))}: run ${how}`);
  }
  if (wanted !== undefined && !record.trustDomains.includes(wanted)) {
    advice.push(
      `policy says trust domain ${wanted}, which this CA does not name: run inmesh ca rotate --trust-domain ${wanted}`,
    );
  }
  return advice;
}
