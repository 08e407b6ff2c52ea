/** Name constraints of an authority (RFC 5280 §4.2.1.10), for the names that identities of a mesh have. */

import type { Certificate } from "./certificate.js";
import { DNS_NAME, type GeneralName, URI_NAME } from "./extensions.js";
import { quoted } from "./svid-problem.js";

/**
 * Names of all certificates below are held against the subtrees. A kind of name that is not understood here, but is both
 * constrained and used, is refused: to pass it over would be to lift the constraint.
 * @returns what is not allowed, undefined when all is
 */
export function constraintProblem({ nameConstraints }: Certificate, below: readonly Certificate[]): string | undefined {
  if (nameConstraints === undefined) return undefined;
  const { permitted, excluded } = nameConstraints;
  const constrained = new Set([...permitted, ...excluded].map(({ tag }) => tag));
  if (constrained.has(DIRECTORY_NAME))
    return "an authority of its chain constrains directory names, which is not known here";
  for (const name of below.flatMap(({ names }) => names)) {
    if (!constrained.has(name.tag)) continue;
    const within = (base: GeneralName) => base.tag === name.tag && isWithin(name, base);
    const allowed = permitted.some(({ tag }) => tag === name.tag) ? permitted.some(within) : true;
    if (!(name.tag in MATCHERS) || !allowed || excluded.some(within))
      return `an authority of its chain may not vouch for the name ${quoted(name.text)}`;
  }
  return undefined;
}

/** Every certificate has a subject of this kind, if an empty one. */
const DIRECTORY_NAME = 4;

type Matcher = (name: string, base: string) => boolean;

const MATCHERS: Readonly<Record<number, Matcher>> = {
  // The host of the URI: equal, or below a base that begins with a dot.
  [URI_NAME]: (name, base) => {
    const host = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/:?#@]*)$/.exec(name.split("/", 3).join("/"))?.[1]?.toLowerCase();
    if (host === undefined || host === "") return false;
    return base.startsWith(".") ? host.endsWith(base.toLowerCase()) : host === base.toLowerCase();
  },
  [DNS_NAME]: (name, base) => {
    const [inner, outer] = [name.toLowerCase(), base.toLowerCase().replace(/^\./, "")];
    return outer === "" || inner === outer || inner.endsWith(`.${outer}`);
  },
};

function isWithin({ tag, text }: GeneralName, base: GeneralName): boolean {
  return MATCHERS[tag]?.(text, base.text) ?? false;
}
