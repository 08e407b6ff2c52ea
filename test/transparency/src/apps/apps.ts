import type { App } from "./app.js";
import { fastifyCli, nest, next } from "./catalog/frameworks.js";
import { verdaccio } from "./catalog/registry.js";
import { browserSync, httpServer, jsonServer, localWebServer, serve } from "./catalog/static-servers.js";
import { nodeRed, peer, vite } from "./catalog/tools.js";

/** Small enough to be dependencies of this folder, and quick enough for every test run. */
export const QUICK: readonly App[] = [httpServer, jsonServer, serve];

/** As `node PATH`; the ones beyond `QUICK` are installed when they are asked for. */
export const APPS: readonly App[] = [
  ...QUICK,
  ...[localWebServer, browserSync, verdaccio, next, nest, fastifyCli, vite, nodeRed, peer],
];
