/** The control plane behind an `xds://` registry: can it be reached, by what it asks for, and does it answer? */

import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { messageOf } from "@inmesh/core";
import type { XdsServer, XdsTarget } from "@inmesh/xds/client";
import type { Cli } from "../cli.js";
import { CliError, systemReason } from "../exit.js";
import { namespaceOf, type RegistryOptions } from "../options.js";
import { formatMs } from "../output/format.js";
import type { RegistryName } from "../registry/registry-name.js";
import { readTarget } from "../xds/open-stream.js";
import { reach } from "./reach.js";
import { error, type Finding, ok, type Section, warning } from "./section.js";
import { firstAnswers } from "./stream.js";

/** Clocks of machines that are kept by NTP agree better than this, in ms. */
const SKEW_MS = 5_000;
/** A certificate that ends sooner is worth a word, in ms. */
const SOON_MS = 7 * 86_400_000;

export interface CheckedControlPlane {
  readonly section: Section;
  /** It answers, so that more can be asked of it. */
  readonly answers: boolean;
}

export async function checkControlPlane(
  cli: Cli,
  options: RegistryOptions,
  { url, shown }: Extract<RegistryName, { kind: "xds" }>,
): Promise<CheckedControlPlane> {
  const findings: Finding[] = [];
  const section: Section = { name: "control plane", findings };
  let target: XdsTarget;
  try {
    target = readTarget(url, cli.io.env);
  } catch (failure) {
    if (!(failure instanceof CliError)) throw failure;
    findings.push(error(failure.message, failure.advice));
    return { section, answers: false };
  }
  for (const text of target.unusable) findings.push(warning(`the bootstrap has ${text}, which is not used`, BOOTSTRAP));
  const servers: (readonly Finding[])[] = [];
  for (const server of target.servers) servers.push(await checkServer(cli, options, server));
  findings.push(...servers.flat());
  // What is in the way has been said: a stream would say it again, in other words.
  if (servers.every((found) => found.some(({ status }) => status === "error"))) return { section, answers: false };
  const stream = await firstAnswers(cli, url, { namespace: namespaceOf(options, cli), timeout: options.timeout });
  findings.push(...stream.findings);
  if (!stream.answers) cli.trace(`${shown} does not answer`);
  return { section, answers: stream.answers };
}

const BOOTSTRAP = "See docs/reference/xds.md for what is used of a bootstrap.";

async function checkServer(cli: Cli, { timeout }: RegistryOptions, server: XdsServer): Promise<Finding[]> {
  const now = cli.io.clock.wallTime();
  const files = await checkFiles(server, now);
  const reached = await reach(cli.io, server, Math.min(timeout, 5_000));
  return [...files, ...reached];
}

async function checkFiles({ tokenFile, tls }: XdsServer, now: number): Promise<Finding[]> {
  const { caFile, certFile, keyFile } = tls ?? {};
  const named = [
    ["token", tokenFile, (text: string) => tokenFinding(text, tokenFile ?? "", now)],
    ["ca", caFile, (text: string) => certificateFinding(text, "ca", caFile ?? "", now)],
    ["cert", certFile, (text: string) => certificateFinding(text, "cert", certFile ?? "", now)],
    ["key", keyFile, (text: string) => keyFinding(text, keyFile ?? "")],
  ] as const;
  const findings: Finding[] = [];
  for (const [parameter, path, judge] of named) {
    if (path === undefined) continue;
    try {
      findings.push(judge(await readFile(path, "utf8")));
    } catch (reason) {
      const why = systemReason(reason) ?? messageOf(reason);
      findings.push(error(`${parameter}=${path} cannot be read: ${why}`, `Correct the path, or who may read it.`));
    }
  }
  if (tls?.meshIdentity)
    findings.push(warning("identity=mesh: this command has no certificate of the mesh to show", MESH_IDENTITY));
  return findings;
}

const MESH_IDENTITY =
  "Processes show theirs; to check as they do, name files: cert=FILE&key=FILE in place of identity=mesh.";

/** Of a JWT what it says of its times; another token is taken as it is. */
function tokenFinding(text: string, path: string, now: number): Finding {
  const token = text.trim();
  if (token === "")
    return error(`token=${path} is empty`, "Have it written: in Kubernetes by a projected service account token.");
  const { exp, iat, nbf } = claimsOf(token);
  const begins = Math.max(iat ?? 0, nbf ?? 0) * 1_000;
  if (begins > now + SKEW_MS)
    return error(
      `token=${path} begins in ${formatMs(begins - now)}: this machine's clock or its issuer's is wrong`,
      CLOCK,
    );
  if (exp === undefined) return ok(`token=${path} is readable`);
  const leftMs = exp * 1_000 - now;
  if (leftMs <= 0)
    return error(`token=${path} ended ${formatMs(-leftMs)} ago`, "Have it renewed; or this machine's clock is ahead.");
  return ok(`token=${path} is readable and valid for ${formatMs(leftMs)}`);
}

const CLOCK = "Compare the clocks, for instance with: timedatectl";

function claimsOf(token: string): { readonly exp?: number; readonly iat?: number; readonly nbf?: number } {
  try {
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<
      string,
      unknown
    >;
    const number = (name: string) => (typeof claims[name] === "number" ? { [name]: claims[name] } : {});
    return { ...number("exp"), ...number("iat"), ...number("nbf") };
  } catch {
    return {};
  }
}

function certificateFinding(text: string, parameter: string, path: string, now: number): Finding {
  const [first] = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(text) ?? [];
  if (first === undefined) return error(`${parameter}=${path} holds no certificate in PEM`, "Name a PEM file.");
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(first);
  } catch (reason) {
    return error(`${parameter}=${path} cannot be read: ${messageOf(reason)}`, "Name a PEM file.");
  }
  const { validFrom, validTo } = certificate;
  const leftMs = Date.parse(validTo) - now;
  if (Date.parse(validFrom) > now + SKEW_MS)
    return error(`${parameter}=${path} begins ${validFrom}: this machine's clock is behind, or it is new`, CLOCK);
  if (leftMs <= 0) return error(`${parameter}=${path} ended ${formatMs(-leftMs)} ago`, "Replace it.");
  if (leftMs < SOON_MS && parameter === "ca")
    return warning(`${parameter}=${path} ends in ${formatMs(leftMs)}`, "Bring the next root before that.");
  return ok(`${parameter}=${path} is readable and valid for ${formatMs(leftMs)}`);
}

function keyFinding(text: string, path: string): Finding {
  if (/-----BEGIN (?:\w+ )?PRIVATE KEY-----/.test(text)) return ok(`key=${path} is readable`);
  return error(`key=${path} holds no private key in PEM`, "Name a PEM file.");
}
