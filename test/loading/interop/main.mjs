/**
 * `npm run interop`: services with an agent of OpenTelemetry, Sentry, Datadog or New Relic and the mesh, loaded in either order. No backend
 * is there. Each service is called in a trace and calls on by fetch and node:http; what reached the other side is judged.
 * Installs the libraries into this folder when they are missing (500 MB).
 */

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const MESH = ["--import", "@inmesh/node/register"];
const APP = "../fixtures/tracing/app.mjs";
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CLIENTS = ["fetch", "http", "post", "hand"];
/** Longest life of a service, in ms: no agent may keep it. */
const LIFE_MS = 40_000;

const AGENTS = {
  "@opentelemetry/auto-instrumentations-node": {
    flags: ["--import", "@opentelemetry/auto-instrumentations-node/register"],
    // Its detectors of clouds wait for addresses that are not there.
    env: { OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "none", OTEL_NODE_RESOURCE_DETECTORS: "env,host,os" },
  },
  "@sentry/node": { flags: ["--import", "./sentry.mjs"], env: {} },
  "dd-trace": {
    flags: ["--import", "dd-trace/initialize.mjs"],
    env: { DD_TRACE_STARTUP_LOGS: "false", DD_INSTRUMENTATION_TELEMETRY_ENABLED: "false" },
  },
  newrelic: {
    flags: ["--import", "newrelic"],
    // Its serverless mode asks no collector for its settings.
    env: {
      NEW_RELIC_NO_CONFIG_FILE: "true",
      NEW_RELIC_APP_NAME: "interop",
      NEW_RELIC_SERVERLESS_MODE_ENABLED: "true",
      NEW_RELIC_ACCOUNT_ID: "1",
      NEW_RELIC_TRUSTED_ACCOUNT_KEY: "1",
      NEW_RELIC_PRIMARY_APPLICATION_ID: "1",
      NEW_RELIC_LOG_ENABLED: "false",
    },
  },
};

if (!existsSync(join(HERE, "node_modules"))) {
  const { status } = spawnSync("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock"], {
    cwd: HERE,
    stdio: "inherit",
  });
  if (status !== 0) process.exit(1);
}

const folder = mkdtempSync(join(tmpdir(), "inmesh-interop-"));
const echo = start([...MESH, "../fixtures/upstream.mjs"], { INMESH_SERVICE: "echo" });
let failed = 0;
try {
  await until(() => existsSync(join(folder, ".workloads")) && readdirSync(join(folder, ".workloads")).length > 0);
  for (const [name, { flags, env }] of Object.entries(AGENTS)) {
    for (const [order, all] of [
      ["before the mesh", [...flags, ...MESH]],
      ["after the mesh", [...MESH, ...flags]],
    ]) {
      const service = start([...all, APP], { INMESH_SERVICE: "web", ...env });
      const timer = setTimeout(() => service.child.kill("SIGKILL"), LIFE_MS);
      const code = await service.ended;
      clearTimeout(timer);
      report(`${name}, loaded ${order}`, code, service.out(), service.errors());
    }
  }
} finally {
  echo.child.kill("SIGKILL");
  await echo.ended;
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failed === 0 ? 0 : 1);

function report(title, code, out, errors) {
  const found = /^called (.*)$/m.exec(out)?.[1];
  const wrong = [];
  if (code !== 0) wrong.push(`it ended with ${code}`);
  if (errors.includes("inmesh")) wrong.push(errors.trim());
  if (found === undefined) wrong.push(`its calls failed: ${out}${errors}`);
  const lines = found === undefined ? {} : JSON.parse(found);
  const traces = CLIENTS.map((client) => {
    const { baggage = [], ...single } = lines[client] ?? {};
    for (const [name, values] of Object.entries(single)) {
      if (values.length > 1) wrong.push(`${client}: ${name} is there ${values.length} times: ${values.join(" | ")}`);
    }
    const keys = baggage.flatMap((line) => line.split(",").map((item) => item.split("=")[0].trim()));
    if (new Set(keys).size < keys.length) wrong.push(`${client}: baggage has keys twice: ${baggage.join(" | ")}`);
    if (found !== undefined && single.traceparent === undefined) wrong.push(`${client}: no traceparent`);
    const trace = single.traceparent?.[0]?.split("-")[1];
    const names = Object.keys(lines[client] ?? {}).join(" ");
    return `${client}: ${trace === TRACE ? "the inbound trace" : "another trace"} (${names})`;
  });
  failed += wrong.length;
  console.log(`${wrong.length === 0 ? "ok  " : "FAIL"} ${title}`);
  for (const line of [...traces, ...wrong]) console.log(`       ${line}`);
}

function start(args, env) {
  const child = spawn(process.execPath, args, {
    cwd: HERE,
    env: { PATH: process.env.PATH, HOME: folder, INMESH_CONFIG: folder, INMESH_PROPAGATION_DELAY_MS: "0", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let errors = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  const ended = new Promise((resolve) => child.once("close", (code, signal) => resolve(code ?? signal)));
  return { child, out: () => out, errors: () => errors, ended };
}

async function until(look) {
  while (!look()) await new Promise((resolve) => setTimeout(resolve, 20));
}
