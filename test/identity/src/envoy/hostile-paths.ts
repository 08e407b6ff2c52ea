/** Request targets put together of what has fooled servers. The same seed gives the same ones. */

import { seededRandom } from "@inmesh/core";

const PIECES = [
  ...["/", "/", "/", "/", "//", "///", "\\", "/.", "/..", "/./", "/../", "/..;/", "/..;a/", "/.;/", "/...", ".", ".."],
  ...[
    "%2e",
    "%2E",
    "%2e%2e",
    "/%2e%2e/",
    "%2f",
    "%2F",
    "%5c",
    "%5C",
    "%252f",
    "%252e",
    "%00",
    "%0a",
    "%20",
    "%7e",
    "%41",
  ],
  ...["%", "%2", "%zz", "%c3%a9", ";", ";a=1", ";/", "admin", "Admin", "ADMIN", "%61dmin", "a", "b", "x y", "~", "_"],
  ...["admin", "admin/", "/admin", "/admin/x", "public", "?", "?q=/../x", "?a=%2f", "#f", "@", ":", "*", "+", "\xe9"],
];
const MOST_PIECES = 8;

export function hostilePaths(count: number, seed: number): readonly string[] {
  const random = seededRandom(seed);
  const paths = new Set<string>();
  while (paths.size < count) {
    let path = random.int(20) === 0 ? "" : "/";
    for (let left = 1 + random.int(MOST_PIECES); left > 0; left--) path += PIECES[random.int(PIECES.length)];
    paths.add(path);
  }
  return [...paths];
}
