/** Paths of requests, in each mode of normalisation. What comes out stays as it is when it is read again. */

import { normalisePath } from "@inmesh/core";
import type { PathNormalization } from "@inmesh/model";
import { type InputTarget, seeds } from "./target.js";

const MODES: readonly PathNormalization[] = ["NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"];

export const PATH: InputTarget = {
  seeds: seeds("/", "/admin", "/api/reviews/42?page=2", "/a/../b/./c//d", "/%61dmin/%2e%2e/x%2Fy", "/a;b=1/..;x/c\\d"),
  words: [
    ...[
      "/",
      "//",
      "/./",
      "/../",
      "/..",
      "/.",
      "\\",
      "..;",
      ".;",
      ";a=1",
      "?",
      "#",
      "%",
      "%%",
      "%2f",
      "%5C",
      "%2e",
      "%2E",
    ],
    ...["%00", "%41", "%7e", "%zz", "%252f", "%c3%a9", " ", "\t", "\r\n", "\u0000", "\u00e9", "admin", "?q=/../"],
  ],
  judge(input) {
    const text = `/${Buffer.from(input).toString("latin1").replace(/^\//, "")}`;
    const faults: string[] = [];
    let said = "";
    let accepted = false;
    for (const mode of MODES) {
      const path = normalisePath(text, mode);
      said += path === undefined ? "-" : path === text ? "=" : "~";
      if (path === undefined) continue;
      accepted = true;
      const fault = faultOf(path, mode);
      if (fault !== undefined) faults.push(`${mode}: ${JSON.stringify(path)} ${fault}`);
    }
    // Longer words for the guide: how many segments are left, and whether any is escaped.
    const base = normalisePath(text, "BASE");
    if (base !== undefined) said += ` ${Math.min(base.split("/").length, 9)} ${base.includes("%")}`;
    return { accepted, said, ...(faults[0] !== undefined && { fault: faults[0] }) };
  },
};

function faultOf(path: string, mode: PathNormalization): string | undefined {
  const [bare = ""] = path.split("?");
  if (!path.startsWith("/")) return "does not begin with a slash";
  if (/[^\x21-\x7e]/.test(path)) return "has a character that no path may have";
  if (path.includes("#")) return "has a fragment";
  if (mode === "NONE") return undefined;
  if (/%00/.test(bare)) return "has %00";
  if (bare.includes("\\")) return "has a backslash";
  if (bare.split("/").some((segment) => /^(\.|%2e){1,2}$/i.test(segment))) return "has a segment of dots";
  if (/%(2d|2e|5f|7e|3\d|4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a])/i.test(bare)) return "has an escape of a plain character";
  if (mode !== "BASE" && bare.includes("//") && bare !== "//") return "has two slashes";
  if (mode === "DECODE_AND_MERGE_SLASHES" && /%(2f|5c)/i.test(bare)) return "has an escaped slash";
  // As Envoy has it, `%2e;` becomes `.;`, and no segment of dots.
  if (/\/\.\.?;/.test(bare)) return undefined;
  const again = normalisePath(path, mode);
  return again === path ? undefined : `becomes ${JSON.stringify(again)} when it is read again`;
}
