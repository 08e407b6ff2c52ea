/** What Consul lists, entry by entry: one that cannot be understood is a Problem and takes no other with it. */

import { messageOf } from "@inmesh/core";
import type { Problem } from "@inmesh/model";
import type {
  ConfigEntries,
  Intention,
  MeshEntry,
  NotHonoured,
  ProxyDefaults,
  ServiceDefaults,
  ServiceResolver,
  ServiceRouter,
  ServiceSplitter,
} from "./config-entry.js";
import { entryProblem } from "./entry-problem.js";
import { FieldFault, Fields, isData } from "./field.js";
import { readMesh, readProxyDefaults, readServiceDefaults } from "./read-defaults.js";
import { readIntentions, readOldIntention } from "./read-intentions.js";
import { readResolver } from "./read-resolver.js";
import { readRouter, readSplitter } from "./read-router.js";

export interface ReadEntries {
  readonly entries: ConfigEntries;
  readonly problems: readonly Problem[];
  /** By what was listed, for the next time: most of it will be the same. */
  readonly known: KnownEntries;
}

type KnownEntries = ReadonlyMap<string, ReadEntry>;

interface ReadEntry {
  readonly problems: readonly Problem[];
  /** Undefined: it is left out. */
  readonly put: ((into: Collected) => void) | undefined;
}

interface Collected {
  readonly resolvers: Map<string, ServiceResolver>;
  readonly splitters: Map<string, ServiceSplitter>;
  readonly routers: Map<string, ServiceRouter>;
  readonly defaults: Map<string, ServiceDefaults>;
  readonly intentions: Intention[];
  proxy: ProxyDefaults | undefined;
  mesh: MeshEntry | undefined;
}

/** Kinds that are no concern of who calls services of this cluster. */
const OTHERS: ReadonlySet<string> = new Set([
  ...["ingress-gateway", "terminating-gateway", "api-gateway", "bound-api-gateway", "http-route", "tcp-route"],
  ...["inline-certificate", "file-system-certificate", "exported-services", "sameness-group"],
  ...["control-plane-request-limit", "jwt-provider"],
]);

/**
 * @param values as `/v1/config/KIND` lists them
 * @param intentions as `/v1/connect/intentions` lists them, from servers that have no service-intentions
 * @param before what was read the last time
 */
export function readConfigEntries(
  values: readonly unknown[],
  intentions: readonly unknown[] = [],
  before: KnownEntries = new Map(),
): ReadEntries {
  const made: Collected = {
    ...{ resolvers: new Map(), splitters: new Map(), routers: new Map(), defaults: new Map() },
    ...{ intentions: [], proxy: undefined, mesh: undefined },
  };
  const known = new Map<string, ReadEntry>();
  const problems: Problem[] = [];
  const take = (value: unknown, old: boolean): void => {
    const text = `${old ? "old " : ""}${JSON.stringify(value)}`;
    const read = before.get(text) ?? (old ? readOld(value) : readEntry(value));
    known.set(text, read);
    problems.push(...read.problems);
    read.put?.(made);
  };
  for (const value of values) take(value, false);
  for (const value of intentions) take(value, true);
  return { entries: made, problems, known };
}

function readEntry(value: unknown): ReadEntry {
  const { kind, name, fields } = envelope(value);
  const origin = `${kind || "config-entry"}/${name || "?"}`;
  const told = (
    entry: { readonly notHonoured: readonly NotHonoured[] },
    put: (into: Collected) => void,
  ): ReadEntry => ({
    problems: entry.notHonoured.map(({ field, why, severity = "warning" }) =>
      entryProblem("IM0201", severity, origin, `${field} is not acted on. ${why}`),
    ),
    put,
  });
  return attempt(origin, () => {
    switch (kind) {
      case "service-resolver": {
        const entry = readResolver(name, fields());
        return told(entry, ({ resolvers }) => resolvers.set(name, entry));
      }
      case "service-splitter": {
        const entry = readSplitter(name, fields());
        return told(entry, ({ splitters }) => splitters.set(name, entry));
      }
      case "service-router": {
        const entry = readRouter(name, fields());
        return told(entry, ({ routers }) => routers.set(name, entry));
      }
      case "service-defaults": {
        const entry = readServiceDefaults(name, fields());
        return told(entry, ({ defaults }) => defaults.set(name, entry));
      }
      case "service-intentions": {
        const intention = readIntentions(name, fields());
        return { problems: [], put: ({ intentions }) => intentions.push(intention) };
      }
      case "proxy-defaults": {
        const entry = readProxyDefaults(name, fields());
        return told(entry, (into) => {
          into.proxy = entry;
        });
      }
      case "mesh": {
        const entry = readMesh(name, fields());
        return told(entry, (into) => {
          into.mesh = entry;
        });
      }
      default:
        if (OTHERS.has(kind)) return { problems: [], put: undefined };
        throw new FieldFault(kind === "" ? "it has no Kind" : `its kind "${kind}" is not known`);
    }
  });
}

function readOld(value: unknown): ReadEntry {
  return attempt("intention/?", () => {
    const intention = readOldIntention(value);
    return { problems: [], put: ({ intentions }) => intentions.push(intention) };
  });
}

function attempt(origin: string, read: () => ReadEntry): ReadEntry {
  try {
    return read();
  } catch (error) {
    const fact = messageOf(error);
    const message = `${fact}. The entry is left out. Correct it in Consul.`;
    return { problems: [entryProblem("IM0730", "error", origin, message)], put: undefined };
  }
}

function envelope(value: unknown): { kind: string; name: string; fields: () => Fields } {
  const text = (name: string): string => {
    const found = isData(value) ? Object.entries(value).find(([key]) => key.toLowerCase() === name)?.[1] : undefined;
    return typeof found === "string" ? found : "";
  };
  const kind = text("kind").toLowerCase();
  const fields = (): Fields => {
    const read = new Fields(value);
    if (text("name") === "" && kind !== "mesh" && kind !== "proxy-defaults") throw read.fault("Name", "is missing");
    return read;
  };
  return { kind, name: text("name") || (kind === "mesh" ? "mesh" : kind === "proxy-defaults" ? "global" : ""), fields };
}
