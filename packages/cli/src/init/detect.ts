/** What a package is made of, as far as the mesh cares: its server framework and its HTTP clients. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Manifest } from "./manifest.js";

export interface Detected {
  readonly name: string;
  readonly role: "server" | "client";
  /** As package.json says it; empty for what Node itself brings. */
  readonly range: string;
  /** Empty: meshed without a change of code. Else what to know. */
  readonly note: string;
}

const ON_HTTP = ""; // built on node:http, fetch or undici, which register patches
const GRPC = "gRPC has a guide of its own; what is below HTTP is not routed by register alone";

const KNOWN: readonly Omit<Detected, "range">[] = [
  ...["express", "fastify", "koa", "hono", "@nestjs/core", "@hapi/hapi", "restify", "polka"].map(
    (name) => ({ name, role: "server", note: ON_HTTP }) as const,
  ),
  { name: "next", role: "server", note: "a standalone build bundles its clients: see the limits of zero code" },
  ...["axios", "got", "undici", "node-fetch", "superagent", "ky", "needle", "request", "cross-fetch"].map(
    (name) => ({ name, role: "client", note: ON_HTTP }) as const,
  ),
  { name: "@grpc/grpc-js", role: "client", note: GRPC },
];

const MAX_FILES = 200;
const MAX_BYTES = 256 * 1024;
const MAX_DEPTH = 4;
const SOURCE = /\.[cm]?[jt]sx?$/;

export function detect(folder: string, { dependencies }: Manifest): Detected[] {
  const packages = KNOWN.flatMap((known) => {
    const range = dependencies[known.name];
    return range === undefined ? [] : [{ ...known, range }];
  });
  const text = sourceText(folder);
  const builtIn = (name: string, role: Detected["role"], pattern: RegExp): Detected[] =>
    pattern.test(text) ? [{ name, role, range: "", note: "" }] : [];
  const found = [
    ...packages,
    ...(packages.some(({ role }) => role === "server") ? [] : builtIn("http", "server", /\bcreateServer\s*\(/)),
    ...builtIn("fetch", "client", /(?<![.\w])fetch\s*\(/),
    ...builtIn("http", "client", /\bhttps?\.(?:request|get)\s*\(/),
  ];
  return found.sort((a, b) => (a.role === b.role ? 0 : a.role === "server" ? -1 : 1));
}

/** Of the package's own files, up to a bound: a look, no analysis. */
function sourceText(folder: string): string {
  const texts: string[] = [];
  const visit = (at: string, depth: number): void => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      if (texts.length >= MAX_FILES) return;
      if (entry.name.startsWith(".") || ["node_modules", "dist", "build", "coverage"].includes(entry.name)) continue;
      const path = join(at, entry.name);
      try {
        if (entry.isDirectory() && depth < MAX_DEPTH) visit(path, depth + 1);
        else if (entry.isFile() && SOURCE.test(entry.name)) texts.push(readFileSync(path, "utf8").slice(0, MAX_BYTES));
      } catch {
        // what cannot be read has nothing to say
      }
    }
  };
  visit(folder, 0);
  return texts.join("\n");
}
