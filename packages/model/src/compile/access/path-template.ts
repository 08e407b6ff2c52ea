/** `/files/{*}/{**}` as Envoy's URI templates: `{*}` is one segment, `{**}` whatever is left. policy-semantics §4.5. */

/** What stands between slashes (RFC 3986 §3.3). */
const SEGMENT = "[A-Za-z0-9\\-._~%!$&'()*+,;:@=]+";
const REST = "[A-Za-z0-9\\-._~%!$&'()*+,;:@=/]*";

export function isTemplate(path: string): boolean {
  return path.includes("{*}") || path.includes("{**}");
}

/**
 * A JavaScript expression in spite of the rule that policy's run in RE2: this one is ours, and with one open end at most it
 * goes back at most once for each letter.
 */
export function templateExpression(template: string): RegExp {
  const parts = template.split(/(\{\*\*?\})/).map((part) => {
    if (part === "{*}") return SEGMENT;
    return part === "{**}" ? REST : part.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
  });
  return new RegExp(`^${parts.join("")}$`);
}

/** What every path of it begins with. */
export function templatePrefix(template: string): string {
  return template.slice(0, template.indexOf("{*"));
}
