/** Config entries of Consul from files, standard input or a Consul itself. */

import type { ConfigEntryInput } from "@inmesh/consul/config-entry";
import { messageOf } from "@inmesh/core";
import type { Problem } from "@inmesh/model";
import { parseAllDocuments } from "yaml";
import type { Cli } from "../cli.js";
import { CliError, EXIT } from "../exit.js";
import { type PolicyText, readPolicyTexts } from "./policy-texts.js";

export interface ConsulEntriesOptions {
  readonly config?: string;
  readonly datacenter?: string;
  readonly intentionDefault?: "allow" | "deny";
  readonly namespace?: string;
  /** In ms. */
  readonly timeout: number;
}

export interface ConsulEntries {
  readonly input: ConfigEntryInput;
  /** Files that cannot be read as entries. */
  readonly problems: readonly Problem[];
}

const ENTRY_FILE = /\.(hcl|ya?ml|json)$/i;
const DATACENTER = "dc1";

/** @param namespace of services, where files are read @throws {CliError} */
export async function consulEntries(
  files: readonly string[],
  options: ConsulEntriesOptions,
  namespace: string,
  cli: Cli,
): Promise<ConsulEntries> {
  const { config, datacenter, intentionDefault } = options;
  const said = { ...(datacenter !== undefined && { datacenter }), ...(intentionDefault && { intentionDefault }) };
  if (config !== undefined) return { input: { ...(await ofConsul(config, options, cli)), ...said }, problems: [] };
  const texts = await readPolicyTexts(files, cli, ENTRY_FILE);
  const { parseHcl, HclFault, readEntryValues } = await import("@inmesh/consul/config-entry");
  const entries: unknown[] = [];
  const intentions: unknown[] = [];
  const problems: Problem[] = [];
  for (const text of texts) {
    try {
      for (const value of isHcl(text) ? [parseHcl(text.text)] : yamlValues(text.text)) {
        const read = readEntryValues(value);
        entries.push(...read.entries);
        intentions.push(...read.intentions);
      }
    } catch (error) {
      const line = error instanceof HclFault ? error.line : 0;
      const [fact = ""] = messageOf(error).split("\n");
      const message = `${fact}. The file is not read. Correct it.`;
      problems.push({
        code: "IM0730",
        severity: "error",
        message,
        resource: "",
        path: "",
        file: text.file,
        line,
        column: 0,
      });
    }
  }
  return { input: { entries, intentions, namespace, datacenter: DATACENTER, services: [], ...said }, problems };
}

/** Standard input is what it looks like. */
function isHcl({ file, text }: PolicyText): boolean {
  if (/\.hcl$/i.test(file)) return true;
  if (/\.(ya?ml|json)$/i.test(file)) return false;
  return /^\s*[A-Za-z_"]+\s*(=|\{)/m.test(text) && !/^\s*[[{]/.test(text);
}

/** JSON is YAML. */
function yamlValues(text: string): unknown[] {
  return parseAllDocuments(text).map((document) => {
    const [error] = document.errors ?? [];
    if (error !== undefined) throw error;
    return document.toJS({ maxAliasCount: 100 });
  });
}

async function ofConsul(
  config: string,
  { timeout, namespace }: ConsulEntriesOptions,
  { io }: Cli,
): Promise<ConfigEntryInput> {
  const { ConsulClient, ConsulError, isConsulUrl, listConfigEntries, parseConsulUrl } = await import("@inmesh/consul");
  const { MeshError } = await import("@inmesh/core");
  if (!isConsulUrl(config)) {
    throw new CliError(
      EXIT.usage,
      "--config names no Consul",
      "Give its address, such as consul://127.0.0.1:8500, or name files.",
    );
  }
  const giveUp = new AbortController();
  const timer = io.clock.after(timeout, () => giveUp.abort(new Error("timeout")));
  const interrupted = (): void => giveUp.abort(io.signal.reason);
  io.signal.addEventListener("abort", interrupted, { once: true });
  try {
    const target = parseConsulUrl(config, io.env);
    const client = new ConsulClient(namespace === undefined ? target : { ...target, namespace });
    try {
      return await listConfigEntries(client, io.clock, giveUp.signal);
    } finally {
      client.close();
    }
  } catch (error) {
    if (io.signal.aborted) throw io.signal.reason;
    if (giveUp.signal.aborted) {
      throw new CliError(
        EXIT.timeout,
        `Consul did not answer within ${timeout} ms`,
        "Check its address, or give it longer: --timeout.",
      );
    }
    if (error instanceof ConsulError) {
      throw new CliError(
        EXIT.unreachable,
        error.message,
        "Check the address and the token: CONSUL_HTTP_TOKEN, or consul://TOKEN@host.",
      );
    }
    if (error instanceof MeshError) throw new CliError(EXIT.usage, error.message, "See: inmesh convert --help");
    throw error;
  } finally {
    timer.cancel();
    io.signal.removeEventListener("abort", interrupted);
  }
}
