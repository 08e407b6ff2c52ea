/** Paths of many requests as the few templates that a rule would name: `/orders/17` and `/orders/18` are `/orders/{*}`. */

/** Values of one place in a path beyond which it is taken for a parameter. */
const MOST_NAMES = 12;
/** RFC 3986 pchar without `*`, `{` and `}`: what a segment of a template in an AuthorizationPolicy may hold. */
const PLAIN = /^(?:[A-Za-z0-9\-._~!$&'()+,;=:@]|%[0-9A-Fa-f]{2})*$/;
const NUMBER = /^\d+$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const HEX = /^[0-9a-f]{12,}$/i;
/** Long, with digits and letters mixed: a key rather than a word. */
const KEY = /^(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9_-]{16,}$/;

export const ANY_SEGMENT = "{*}";
export const ANY_REST = "{**}";

/** Segments that look like the name of one thing among many become `{*}`. */
export function pathTemplate(path: string): string {
  if (!path.startsWith("/")) return `/${ANY_REST}`;
  const segments = path.slice(1).split("/").map(segmentTemplate);
  return `/${segments.join("/")}`;
}

function segmentTemplate(segment: string): string {
  if (segment === "" || segment === ANY_SEGMENT || segment === ANY_REST) return segment;
  const names = NUMBER.test(segment) || UUID.test(segment) || HEX.test(segment) || KEY.test(segment);
  return names || !PLAIN.test(segment) ? ANY_SEGMENT : segment;
}

/** Templates that differ in one place only, in more than a dozen ways, become one with `{*}` there. In order. */
export function mergedTemplates(templates: readonly string[]): readonly string[] {
  let merged = [...new Set(templates)].map((template) => template.slice(1).split("/"));
  const longest = Math.max(0, ...merged.map(({ length }) => length));
  for (let place = longest - 1; place >= 0; place--) {
    const groups = new Map<string, string[][]>();
    for (const segments of merged) {
      if (segments.length <= place) continue;
      const key = JSON.stringify([segments.length, ...segments.slice(0, place), null, ...segments.slice(place + 1)]);
      const group = groups.get(key) ?? [];
      group.push(segments);
      groups.set(key, group);
    }
    for (const group of groups.values()) {
      if (group.length <= MOST_NAMES && !group.some((segments) => segments[place] === ANY_SEGMENT)) continue;
      const named = new Set(group);
      const one = [...group[0]!]; // a group has at least one
      one[place] = ANY_SEGMENT;
      merged = [...merged.filter((segments) => !named.has(segments)), one];
    }
  }
  return [...new Set(merged.map((segments) => `/${segments.join("/")}`))].sort();
}
