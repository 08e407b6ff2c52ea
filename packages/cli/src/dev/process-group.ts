/**
 * Signals for a child and everything it started. Each child leads a group of its own (`detached`), so that `npm start`
 * and what hides behind it end together, and the terminal's Ctrl-C reaches us first and not all of them at once.
 */

/** @returns whether there was anything left to signal */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    // Windows knows no groups; there the child alone is ended.
    process.kill(process.platform === "win32" ? pid : -pid, signal);
    return true;
  } catch {
    return false; // nobody is left, or never was
  }
}

export function groupLives(pid: number): boolean {
  try {
    process.kill(process.platform === "win32" ? pid : -pid, 0);
    return true;
  } catch {
    return false;
  }
}
