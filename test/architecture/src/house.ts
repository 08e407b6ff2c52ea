/** The house as design.md §2 and style.md §2.1 draw it: who may import whom, and which library has which one place. */

/** Packages a package may import, besides itself. Packages that do not exist yet are listed so that they need no new rule. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "@inmesh/model": [],
  "@inmesh/core": ["@inmesh/model"],
  "@inmesh/identity": ["@inmesh/core", "@inmesh/model"],
  "@inmesh/telemetry": ["@inmesh/core", "@inmesh/model"],
  "@inmesh/consul": ["@inmesh/core", "@inmesh/model"],
  "@inmesh/xds": ["@inmesh/core", "@inmesh/model"],
  "@inmesh/http": ["@inmesh/core", "@inmesh/model"],
  "@inmesh/grpc": ["@inmesh/core", "@inmesh/model"],
  "@inmesh/node": [
    "@inmesh/core",
    "@inmesh/model",
    "@inmesh/identity",
    "@inmesh/telemetry",
    "@inmesh/consul",
    "@inmesh/xds",
    "@inmesh/http",
    "@inmesh/grpc",
  ],
  "@inmesh/control-plane": ["@inmesh/core", "@inmesh/model", "@inmesh/identity", "@inmesh/xds"],
  "@inmesh/dashboard": ["@inmesh/model"],
  "@inmesh/testing": ["@inmesh/core", "@inmesh/model", "@inmesh/http", "@inmesh/node"],
  inmesh: [
    "@inmesh/core",
    "@inmesh/model",
    "@inmesh/identity",
    "@inmesh/consul",
    "@inmesh/xds",
    "@inmesh/control-plane",
    "@inmesh/dashboard",
  ],
};

/** Named in the manifest, resolved as a path and preloaded into other processes, but never imported. */
export const MAY_NAME: Readonly<Record<string, readonly string[]>> = { inmesh: ["@inmesh/node"] };

/** Each outside library is imported in these places only, relative to `packages/`. Others are free to come in anywhere. */
export const ONE_PLACE: Readonly<Record<string, readonly string[]>> = {
  opossum: ["core/src/breaker/"],
  "p-retry": ["core/src/filter/retry.ts"],
  undici: ["http/src/"],
  "node-forge": ["identity/src/"],
  consul: ["consul/src/"],
  "@grpc/grpc-js": ["grpc/src/", "xds/src/"],
  "@opentelemetry/api": ["telemetry/src/"],
  "@opentelemetry/sdk-trace-node": ["telemetry/src/"],
  zod: ["model/src/"],
  // The folder registry edits files in place, the bootstrap reads inmesh.yaml, the CLI prints `-o yaml`.
  yaml: ["model/src/", "core/src/folder/", "core/src/snapshot/", "node/src/", "cli/src/"],
  re2js: ["model/src/"],
  "ipaddr.js": ["model/src/"],
  "xxhash-wasm": ["core/src/balance/"],
  jose: ["identity/src/"],
  commander: ["cli/src/"],
  "@clack/prompts": ["cli/src/"],
};

/** What the top level holds, design.md §2. */
export const TOP_LEVEL =
  /^(package\.json|package-lock\.json|tsconfig\.json|turbo\.json|README\.md|LICENSE|NOTICE|biome\.json|vitest\.config\.ts|packages|docs|examples|test|\..*)$/;

/** Only core/src/runtime may touch clocks, chance and timers in the packages that must run on fakes. */
export const NO_AMBIENT_TIME = ["model/src/", "core/src/"];
