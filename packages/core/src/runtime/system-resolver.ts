/**
 * Names as this machine knows them: its hosts file, then its name servers, whose answers say how long they hold, then
 * whatever else it asks (search domains, mDNS, other sources of nsswitch.conf). Why in this order and not by `dns.lookup`
 * alone: docs/design/2026-11-27-dns.md.
 */

import type { LookupAddress, RecordWithTtl } from "node:dns";
import type { NameAnswer, NameResolver } from "../dns/resolver.js";
import { type AddressFamilies, addressFamilies } from "./address-families.js";
import { hostsFileAddresses } from "./hosts-file.js";

export interface SystemResolverOptions {
  /** `address:port` of name servers. @default the machine's */
  readonly servers?: readonly string[];
  /** @default the machine's */
  readonly hostsFile?: string;
  /** Asked last. @default dns.lookup */
  readonly lookup?: (name: string) => Promise<readonly LookupAddress[]>;
  /** @default those that this machine has addresses of */
  readonly families?: () => AddressFamilies;
}

/** For the first try of one query; c-ares doubles it for each further one. In ms. */
const QUERY_MS = 2_000;
const TRIES = 2;

/** What c-ares says where a name server answered, and has no such record. */
const NO_RECORD = new Set(["ENOTFOUND", "ENODATA"]);

export function systemResolver({
  servers,
  hostsFile,
  lookup = systemLookup,
  families = addressFamilies,
}: SystemResolverOptions = {}): NameResolver {
  return {
    async resolve(name) {
      const listed = await hostsFileAddresses(name, hostsFile);
      if (listed.length > 0) return { addresses: listed, ttlMs: undefined };
      if (isLocal(name)) return await fromSystem(name, lookup);
      let failure: unknown;
      try {
        const asked = await fromNameServers(name, families(), servers);
        if (asked.addresses.length > 0) return asked;
      } catch (error) {
        failure = error;
      }
      const found = await fromSystem(name, lookup);
      if (found.addresses.length === 0 && failure !== undefined) throw failure;
      return found;
    },
  };
}

/** @throws when a server did not answer, and those that did knew no address */
async function fromNameServers(
  name: string,
  { v4, v6 }: AddressFamilies,
  servers: readonly string[] | undefined,
): Promise<NameAnswer> {
  const { Resolver } = await import("node:dns/promises"); // few processes look anything up
  // Made for each lookup: the servers are those of now, after a laptop changed its network, too.
  const resolver = new Resolver({ timeout: QUERY_MS, tries: TRIES });
  if (servers !== undefined) resolver.setServers(servers);
  const options = { ttl: true } as const;
  const queries: Promise<RecordWithTtl[]>[] = [];
  if (v4) queries.push(resolver.resolve4(name, options));
  if (v6) queries.push(resolver.resolve6(name, options));
  const records: RecordWithTtl[] = [];
  let failure: unknown;
  for (const result of await Promise.allSettled(queries)) {
    if (result.status === "fulfilled") records.push(...result.value);
    else if (!NO_RECORD.has(codeOf(result.reason))) failure = result.reason;
  }
  if (records.length === 0 && failure !== undefined) throw failure;
  return {
    addresses: records.map(({ address }) => address),
    ttlMs: records.length === 0 ? undefined : Math.min(...records.map(({ ttl }) => ttl)) * 1_000,
  };
}

async function fromSystem(name: string, lookup: NonNullable<SystemResolverOptions["lookup"]>): Promise<NameAnswer> {
  try {
    const found = await lookup(name);
    return { addresses: [...new Set(found.map(({ address }) => address))], ttlMs: undefined };
  } catch (error) {
    if (codeOf(error) === "ENOTFOUND") return { addresses: [], ttlMs: undefined };
    throw error;
  }
}

async function systemLookup(name: string): Promise<readonly LookupAddress[]> {
  const { lookup } = await import("node:dns/promises");
  return await lookup(name, { all: true, verbatim: true });
}

/** Never a name server's business (RFC 6761 §6.3). */
function isLocal(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost");
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException | undefined)?.code);
}
