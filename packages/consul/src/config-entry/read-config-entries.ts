/** What Consul lists, entry by entry: one that cannot be understood is a Problem and takes no other with it. */

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
import { Fields, isData } from "./field.js";
import { readMesh, readProxyDefaults, readServiceDefaults } from "./read-defaults.js";
import { readIntentions, readOldIntention } from "./read-intentions.js";
import { readResolver } from "./read-resolver.js";
import { readRouter, readSplitter } from "./read-router.js";

export interface ReadEntries {
  readonly entries: ConfigEntries;
  readonly problems: readonly Problem[];
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
 */
export function readConfigEntries(values: readonly unknown[], intentions: readonly unknown[] = []): ReadEntries {
  const problems: Problem[] = [];
  const resolvers = new Map<string, ServiceResolver>();
  const splitters = new Map<string, ServiceSplitter>();
  const routers = new Map<string, ServiceRouter>();
  const defaults = new Map<string, ServiceDefaults>();
  const allowed: Intention[] = [];
  let proxy: ProxyDefaults | undefined;
  let mesh: MeshEntry | undefined;
  const told = (origin: string, notHonoured: readonly NotHonoured[]): void => {
    for (const { field, why, severity = "warning" } of notHonoured) {
      problems.push(entryProblem("IM0201", severity, origin, `${field} is not acted on. ${why}`));
    }
  };
  const attempt = (origin: string, read: () => void): void => {
    try {
      read();
    } catch (error) {
      const fact = error instanceof Error ? error.message : String(error);
      const message = `${fact}. The entry is left out. Correct it in Consul.`;
      problems.push(entryProblem("IM0730", "error", origin, message));
    }
  };
  for (const value of values) {
    const { kind, name, fields } = envelope(value);
    const origin = `${kind || "config-entry"}/${name || "?"}`;
    attempt(origin, () => {
      switch (kind) {
        case "service-resolver": {
          const entry = readResolver(name, fields());
          resolvers.set(name, entry);
          return told(origin, entry.notHonoured);
        }
        case "service-splitter":
          return void splitters.set(name, readSplitter(name, fields()));
        case "service-router": {
          const entry = readRouter(name, fields());
          routers.set(name, entry);
          return told(origin, entry.notHonoured);
        }
        case "service-defaults": {
          const entry = readServiceDefaults(name, fields());
          defaults.set(name, entry);
          return told(origin, entry.notHonoured);
        }
        case "service-intentions":
          return void allowed.push(readIntentions(name, fields()));
        case "proxy-defaults":
          proxy = readProxyDefaults(name, fields());
          return told(origin, proxy.notHonoured);
        case "mesh":
          mesh = readMesh(name, fields());
          return told(origin, mesh.notHonoured);
        default:
          if (!OTHERS.has(kind)) throw new Error(kind === "" ? "it has no Kind" : `its kind "${kind}" is not known`);
      }
    });
  }
  for (const value of intentions) attempt("intention/?", () => allowed.push(readOldIntention(value)));
  return { entries: { resolvers, splitters, routers, defaults, proxy, mesh, intentions: allowed }, problems };
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
