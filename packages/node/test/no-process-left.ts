/** After all tests: no process that one of them started is still there. Looks where there is /proc. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FIXTURES = fileURLToPath(new URL("./fixture/", import.meta.url));

export default function noProcessLeft(): () => void {
  return () => {
    const left = commands().filter((command) => command.includes(FIXTURES));
    if (left.length === 0) return;
    process.exitCode = 1; // of a teardown that throws vitest only speaks
    throw new Error(`${left.length} processes of tests are left: ${left.join("; ")}`);
  };
}

function commands(): string[] {
  if (!existsSync("/proc/self/cmdline")) return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      } catch {
        return ""; // it ended meanwhile
      }
    });
}
