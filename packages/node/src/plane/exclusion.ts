/** Hosts and ports that option `exclude` keeps out of the mesh. */

import { withoutBrackets } from "@inmesh/core/internal";

/**
 * @param rules `api.example.com`, `*.example.com`, `host:port`, `:port`; letter case does not matter
 * @returns whether a host in lower case, without brackets, and a port are left alone
 */
export function compileExclusion(rules: readonly string[]): (host: string, port: number) => boolean {
  const tests = rules.map(compileRule);
  return (host, port) => tests.some((test) => test(host, port));
}

function compileRule(rule: string): (host: string, port: number) => boolean {
  const [, written = "", digits] = /^(\[[^\]]*\]|[^:]*|.*:.*:.*?)(?::(\d+))?$/.exec(rule.toLowerCase()) ?? [];
  const name = withoutBrackets(written);
  const wanted = digits === undefined ? undefined : Number(digits);
  return (host, port) => (wanted === undefined || wanted === port) && (name === "" || isHost(name, host));
}

function isHost(pattern: string, host: string): boolean {
  if (pattern === "*") return true;
  return pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) : host === pattern;
}
