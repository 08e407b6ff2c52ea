/** What to do about an answer that is none of those expected. */

import type { ConsulTarget } from "./consul-target.js";

const WHERE_TOKENS_GO = "in CONSUL_HTTP_TOKEN or before the @ of the registry's URL";

/** To be put behind what Consul said; empty where that says it all. */
export function refusalAdvice(status: number, text: string, { token }: Pick<ConsulTarget, "token">): string {
  if (status >= 300 && status < 400) return "; Consul never redirects: does the registry's URL name one?";
  if (status === 400 && /HTTPS server/i.test(text)) return "; write consul+https:// in place of consul://";
  if (status !== 403) return "";
  if (/ACL not found/i.test(text))
    return `; the token is not known there: it was deleted, has expired or belongs to another Consul. Give a valid one ${WHERE_TOKENS_GO}`;
  if (token === undefined) return `; no token was given: name one ${WHERE_TOKENS_GO}`;
  return "; the token may not do that: docs/reference/consul-acl.md lists the rules that each role needs";
}
