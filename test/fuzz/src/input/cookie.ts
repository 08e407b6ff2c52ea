/** `cookie` lines, by which requests bring tokens: what is taken for one must stand there by a plain reading of RFC 6265. */

import { seededRandom, systemClock } from "@inmesh/core";
import { createTokenVerifier } from "@inmesh/identity/jwt";
import { RULE, signed } from "./jwt.js";
import { type InputTarget, seeds, type Verdict } from "./target.js";

const NAME = "session";
const RULES = [
  { ...RULE, places: { headers: [], params: [], cookies: [NAME] }, payloadHeader: "", claimHeaders: [] },
] as const;
const TOKEN = signed('{"alg":"ES256","kid":"e1"}\n{"iss":"iss-a","aud":"a","exp":9999999999}');
/** Short in the inputs, so that mutations change what stands around it more often than itself. */
const STANDS_FOR = "TOKEN";
const verifier = createTokenVerifier({ clock: systemClock, random: seededRandom(1) });

export const COOKIE: InputTarget = {
  seeds: seeds(`${NAME}=TOKEN`, `a=b; ${NAME}=TOKEN; c=d`, `${NAME}="TOKEN"`, `b=1;${NAME}=TOKEN`),
  words: [
    ";",
    "; ",
    "=",
    '"',
    ",",
    " ",
    "\t",
    NAME,
    "SESSION",
    `${NAME}=TOKEN`,
    `;${NAME}=x`,
    STANDS_FOR,
    "%3D",
    "\u0000",
  ],
  async judge(input) {
    const text = Buffer.from(input).toString("latin1");
    const cookie = text.replaceAll(STANDS_FOR, TOKEN);
    const header = (name: string) => (name === "cookie" ? cookie : undefined);
    const verdict = await verifier.authenticate(RULES, { path: "/", header });
    return judged(text, verdict.kind);
  },
};

function judged(text: string, kind: "none" | "invalid" | "valid"): Verdict {
  const values = valuesOf(text);
  const said = `${kind} ${Math.min(values.length, 5)}`;
  if (kind === "valid" && !values.includes(STANDS_FOR))
    return { accepted: true, said, fault: "found where there is none" };
  // Two readers may take two cookies of a name for the one that counts: neither may bring another one in.
  if (kind === "valid" && new Set(values).size > 1) return { accepted: true, said, fault: "one of several was taken" };
  if (kind === "none" && values.includes(STANDS_FOR)) return { accepted: false, said, fault: "not seen" };
  return { accepted: kind === "valid", said };
}

function valuesOf(text: string): readonly string[] {
  return text.split(";").flatMap((pair) => {
    const [name = "", ...rest] = pair.split("=");
    if (name.trim() !== NAME || rest.length === 0) return [];
    const value = rest.join("=").trim();
    return [/^".*"$/s.test(value) && value.length > 1 ? value.slice(1, -1) : value];
  });
}
