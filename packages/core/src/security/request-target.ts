/** What a request asks for, by its target and Host lines (RFC 9112 §3.2): read once, for policy and for the application. */

import type { PathNormalization } from "@inmesh/model";
import { withoutQuery } from "../call/without-query.js";
import { normalisePath } from "./normalise-path.js";

/** The parts of a request that say what is asked for. */
export interface TargetParts {
  readonly method: string;
  /** As it came: a path, a whole URL, `*`, or the authority of a CONNECT. */
  readonly target: string;
  /** Of the Host line, or `:authority`. */
  readonly authority: string;
  /** There is more than one, and they might be read differently by different readers. */
  readonly manyHosts: boolean;
}

export interface ReadTarget {
  /** For the application: normalised, with query. */
  readonly target: string;
  /** For rules: without query; empty for CONNECT. */
  readonly path: string;
  /** Of the target where it is a whole URL: that counts, and not the Host line. */
  readonly authority: string;
  readonly refusal?: undefined;
}

export interface RefusedTarget {
  /** Why nobody gets it, in words for the operator. */
  readonly refusal: string;
}

const WHOLE_URL = /^https?:\/\/([^/?#]*)/i;
/** RFC 3986 §3.2, without escapes that no name in use has. */
const AUTHORITY = /^[A-Za-z0-9._~!$&'()*+,;=:@%[\]-]*$/;

export function readTarget(parts: TargetParts, mode: PathNormalization): ReadTarget | RefusedTarget {
  const { method, target, manyHosts } = parts;
  let { authority } = parts;
  if (manyHosts) return { refusal: "it has more than one Host" };
  if (method === "CONNECT") {
    return AUTHORITY.test(target) ? { target, path: "", authority: target || authority } : badAuthority();
  }
  if (target === "*" && method === "OPTIONS") {
    return AUTHORITY.test(authority) ? { target, path: target, authority } : badAuthority();
  }
  let asked = target;
  if (target.charCodeAt(0) !== 47) {
    const whole = WHOLE_URL.exec(target);
    if (whole === null) return { refusal: "its path does not begin with a slash" };
    const [start, named = ""] = whole;
    authority = named.slice(named.lastIndexOf("@") + 1);
    asked = target.slice(start.length) || "/";
    if (asked.charCodeAt(0) !== 47) return { refusal: "its path does not begin with a slash" };
  }
  if (!AUTHORITY.test(authority)) return badAuthority();
  const normal = normalisePath(asked, mode);
  if (normal === undefined) return { refusal: "its path has a character that no path may have" };
  return { target: normal, path: withoutQuery(normal), authority };
}

function badAuthority(): RefusedTarget {
  return { refusal: "its Host has a character that no name may have" };
}
