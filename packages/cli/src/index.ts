export type { Edge } from "./dev/figures.js";
export type { ScriptInstance, ScriptSession, StartOptions } from "./dev/session.js";
export { EXIT, type ExitCode } from "./exit.js";
export type { Io, Output } from "./io.js";
export { run } from "./program.js";
