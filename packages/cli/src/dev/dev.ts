/** One session of `inmesh dev`, from the first child to the last: puts the parts together and takes them apart again. */

import { setMaxListeners } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { pathToFileURL } from "node:url";
import { messageOf } from "@inmesh/core";
import type { Cli } from "../cli.js";
import { CliError, EXIT, type ExitCode } from "../exit.js";
import { namespaceOf } from "../options.js";
import { Announcer } from "./announcer.js";
import { childEnv, registerUrl } from "./child-env.js";
import type { DevOptions } from "./command.js";
import { openDevRegistry } from "./dev-registry.js";
import { EventLog } from "./event-log.js";
import { KeyActions } from "./key-actions.js";
import { Keyboard } from "./keyboard.js";
import { MeshWatch } from "./mesh-watch.js";
import { PlainOutput } from "./plain-output.js";
import { type ProcessSpec, parseProcessSpecs } from "./process-spec.js";
import { Reaper } from "./reaper.js";
import { ASCII, screenLines, UNICODE } from "./screen.js";
import { policyMode, screenModel } from "./screen-model.js";
import { type ScriptSession, Session } from "./session.js";
import { Supervisor } from "./supervisor.js";
import { Terminal } from "./terminal.js";

/** Between two lines of figures in plain output, in ms. */
const FIGURES_MS = 2_000;
/** In the folder of the session, when the registry is ours to remove. */
const STATE = "state";
const ACCESS_LOG = "access.log";

/** Why a session ends. */
type End = { readonly code: ExitCode; readonly summary?: readonly string[]; readonly failure?: string };

/** @throws {CliError} when there is nothing to run, or what is named cannot be used */
export async function runDev(cli: Cli, words: readonly string[], options: DevOptions): Promise<ExitCode> {
  const { io } = cli;
  const specs = parseProcessSpecs(words, io.cwd);
  const script = scriptFile(options, io.cwd);
  if (specs.length === 0 && script === undefined) {
    throw new CliError(
      EXIT.usage,
      "there is nothing to run",
      "Name your services: inmesh dev -- node a.js -- node b.js",
    );
  }
  const namespace = namespaceOf(options, cli);
  const register = registerUrl();
  const scratch = mkdtempSync(join(tmpdir(), "inmesh-dev-"));
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // every question to a process listens to it
  let finish: (end: End) => void = () => {};
  const end = new Promise<End>((resolve) => {
    finish = resolve;
  });
  const events = new EventLog(io.clock.wallTime);
  const reaper = new Reaper();
  reaper.watchPath(scratch);
  const registry = await openDevRegistry({
    ...{ ...options, namespace, scripted: script !== undefined, scratch, cli, events, reaper, signal: io.signal },
  }).catch((error: unknown) => {
    rmSync(scratch, { recursive: true, force: true });
    reaper.close();
    throw error;
  });
  const { config, folder } = registry;
  const supervisor = new Supervisor({
    events,
    reaper,
    envOf: ({ service, version, env }: ProcessSpec) => {
      const labels = version === undefined ? {} : { app: service, version };
      const stateDir = registry.ours ? { stateDir: join(scratch, STATE) } : {};
      // On the screen it would drown everything else; `inmesh log` tells where it is.
      const accessLog = join(scratch, ACCESS_LOG);
      return childEnv(io.env, { service, namespace, config, labels, env, accessLog, ...stateDir }, register);
    },
  });
  let changed = (): void => {};
  const watch = new MeshWatch({
    source: registry.source,
    clock: io.clock,
    signal: stop.signal,
    onChange: () => changed(),
  });
  const actions = new KeyActions({ config: folder, clock: io.clock, events, supervisor, watch, reaper });
  const announcer = new Announcer(events, folder);

  // ---- what the user sees ----
  const startedAt = performance.now();
  let help = false;
  const live = io.stdout.isTTY === true && options.plain !== true && io.env["TERM"] !== "dumb";
  const glyphs = /utf-?8/i.test(`${io.env["LC_ALL"] || io.env["LC_CTYPE"] || io.env["LANG"]}`) ? UNICODE : ASCII;
  const terminal = new Terminal({
    output: io.stdout,
    paint: cli.paint,
    frame: (columns, rows) => {
      const state = {
        supervisor,
        watch,
        events,
        startedAt,
        scripted: script !== undefined,
        fault: actions.fault,
        help,
      };
      return screenLines(screenModel(state), columns, rows, glyphs);
    },
  });
  const plain = new PlainOutput(io.stdout, cli.paint);
  let figuresAt = startedAt;
  changed = () => {
    actions.followPolicy();
    announcer.look(watch.members);
    if (live) return terminal.redraw();
    if (performance.now() - figuresAt < FIGURES_MS) return;
    figuresAt = performance.now();
    plain.figures(watch.edges);
  };
  events.onEvent((event) => (live ? terminal.redraw() : plain.event(event)));

  // ---- every way to end ----
  const interrupted = (): void => finish({ code: EXIT.interrupted });
  const lastMoment = (): void => {
    terminal.leave();
    supervisor.killAllSync();
    actions.close();
    registry.closeSync();
    rmSync(scratch, { recursive: true, force: true });
  };
  if (io.signal.aborted) interrupted();
  io.signal.addEventListener("abort", interrupted, { once: true });
  process.once("SIGHUP", interrupted);
  process.once("exit", lastMoment);
  supervisor.onIdle(() => {
    if (script === undefined) finish({ code: EXIT.ok, summary: ["Every process has finished."] });
  });

  // ---- begin ----
  let quitting = false;
  const onKey = (key: string): void => {
    if (key === "q") {
      if (quitting) supervisor.killAllSync(); // asked twice: no more patience
      quitting = true;
      finish({ code: EXIT.ok });
    } else if (key === "k") actions.kill();
    else if (key === "o") actions.switchPolicy(policyMode(watch.members));
    else if (key === "f") actions.switchFault();
    else if (key === "w") void actions.lastRequest();
    else if (key === "?" || key === "h") help = !help;
    terminal.redraw();
  };
  const keyboard = new Keyboard(io.stdin, stop.signal);
  const keys = live || io.env["INMESH_DEV_KEYS"] === "1";
  if (live) terminal.enter();
  if (keys) keyboard.start(onKey);
  events.add("process", `registry: ${registry.shown}${registry.ours ? " (removed at the end)" : ""}`);
  watch.start();
  const data = join(tmpdir(), `inmesh-session-${process.pid}-${Math.round(io.clock.wallTime())}`);
  const base = script === undefined ? io.cwd : dirname(script);
  const fail = (error: Error): void => finish({ code: EXIT.bad, failure: error.message });
  const session = new Session({
    config,
    folder,
    data,
    namespace,
    base,
    clock: io.clock,
    signal: stop.signal,
    events,
    supervisor,
    watch,
    fail,
  });
  for (const spec of specs) supervisor.start(spec);
  if (script !== undefined)
    void play(script, session, options.keep === true, events).then((result) => result && finish(result));

  // ---- and end ----
  const result = await end;
  stop.abort(new Error("the session is ending"));
  if (result.failure !== undefined) events.add("error", result.failure);
  events.add("process", "stopping every process");
  await supervisor.stopAll();
  await watch.close();
  actions.close();
  await registry.close();
  rmSync(scratch, { recursive: true, force: true });
  reaper.close();
  if (keys) keyboard.stop();
  terminal.leave();
  io.signal.removeEventListener("abort", interrupted);
  process.removeListener("SIGHUP", interrupted);
  process.removeListener("exit", lastMoment);
  for (const text of result.summary ?? []) cli.print(`${text}\n`);
  if (result.failure !== undefined) cli.warn(`the session failed: ${result.failure}`);
  return result.code;
}

/** @returns how the session ends, or undefined when it goes on */
async function play(script: string, session: Session, keep: boolean, events: EventLog): Promise<End | undefined> {
  try {
    const module: { readonly default?: unknown } = await import(pathToFileURL(script).href);
    if (typeof module.default !== "function") throw new Error(`${script} exports no function as its default`);
    const told: unknown = await (module.default as (session: ScriptSession) => unknown)(session);
    const summary = Array.isArray(told) ? told.map(String) : typeof told === "string" ? [told] : [];
    if (!keep) return { code: EXIT.ok, summary };
    for (const text of summary) events.add("say", text);
    events.add("answer", "The script is over and everything keeps running (--keep). q or Ctrl-C stops it.");
    return undefined;
  } catch (error) {
    if (session.signal.aborted) return undefined; // it ends because the user wanted it to
    return { code: EXIT.bad, failure: messageOf(error) };
  }
}

function scriptFile({ script, story }: DevOptions, cwd: string): string | undefined {
  if (script === undefined && story === undefined) return undefined;
  if (script === undefined) {
    throw new CliError(
      EXIT.usage,
      `there is no --script beside which "${story}" would lie`,
      "Name the module itself: --script FILE",
    );
  }
  const given = isAbsolute(script) ? script : join(cwd, script);
  const path = story === undefined ? given : join(dirname(given), `${story}.js`);
  if (existsSync(path)) return path;
  const named =
    story === undefined ? `there is no script "${script}"` : `there is no story "${story}" in ${dirname(script)}`;
  throw new CliError(EXIT.usage, named, "Give a module whose default export is async (session) => …");
}
