import { homedir } from "node:os";
import { stateHome } from "@inmesh/core/internal";
import type { Io } from "../io.js";

/** Where processes of this user keep what outlives them. */
export function statesOf(env: Io["env"]): string {
  return stateHome(env, () => env["HOME"] || homedir());
}
