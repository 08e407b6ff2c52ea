/** The live part of an explanation as people read it. */

import { expectedText, type LiveExplanation, liveLines } from "@inmesh/core/admin";
import { type Paint, printable } from "./paint.js";

export function formatLive(live: LiveExplanation | null, paint: Paint): string {
  if (live === null) return "";
  const titled = liveLines(live).map(
    (line, at) => `${paint("bold", (at === 0 ? "now" : "").padEnd(9))} ${printable(line)}\n`,
  );
  const { result } = live.expected;
  const bad = /^[45]|^[A-Z]/.test(result);
  const expected = paint(result === "" ? "dim" : bad ? "red" : "green", printable(expectedText(live)));
  return `${titled.join("")}${paint("bold", "expected".padEnd(9))} ${expected}\n`;
}
