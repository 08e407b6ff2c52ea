import { runAva } from "./ava.js";
import { runMocha } from "./mocha.js";
import { runNodeTest } from "./node-test.js";
import type { Suite } from "./suite.js";
import { testFiles } from "./test-files.js";

/** Folders of undici's tests that need no browser, no download of another suite and no build of Node. */
const UNDICI =
  /^test\/(?:(?:fetch|node-fetch|infra|cache|cache-interceptor|interceptors|cookie|eventsource|subresource-integrity|websocket|node-test|webidl|busboy)\/(?:.*\/)?)?[^/]+\.js$/;
/** Downloads and uploads 20 GB, or holds the process for its three minutes by itself. */
const UNDICI_ENDLESS = new Set(["test/issue-803.js", "test/issue-4880.js"]);
const FIXTURES = /\/(?:fixtures|helpers|utils)\//;

const undici: Suite = {
  name: "undici",
  files: (folder) =>
    testFiles(folder, "test", (path) => UNDICI.test(path) && !FIXTURES.test(path) && !UNDICI_ENDLESS.has(path)),
  run: (folder, files, env) => runNodeTest(folder, files, env, { flags: ["--expose-gc"], fileTimeout: 60_000 }),
};

const axios: Suite = {
  name: "axios",
  nodeOptions: ["--openssl-legacy-provider"], // as its own scripts do for old certificates
  files: (folder) => testFiles(folder, "test/unit", (path) => path.endsWith(".js")),
  run: (folder, files, env) => runMocha(folder, ["--timeout", "30000", "--exit"], files, env),
};

const got: Suite = {
  name: "got",
  nodeOptions: ["--import=tsx/esm"],
  files: (folder) => testFiles(folder, "test", (path) => /^test\/[^/]+(?<!\.types)\.ts$/.test(path)),
  run: runAva,
};

const express: Suite = {
  name: "express",
  files: (folder) => testFiles(folder, "test", (path) => /^test\/(?:acceptance\/)?[^/]+\.js$/.test(path)),
  run: (folder, files, env) => runMocha(folder, ["--require", "test/support/env", "--check-leaks"], files, env),
};

const fastify: Suite = {
  name: "fastify",
  files: (folder) => testFiles(folder, "test", (path) => /\.test\.m?js$/.test(path)),
  run: (folder, files, env) => runNodeTest(folder, files, env, { fileTimeout: 60_000 }),
};

export const SUITES: readonly Suite[] = [undici, axios, got, express, fastify];
