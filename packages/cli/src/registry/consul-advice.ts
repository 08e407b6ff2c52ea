/** What to do when a Consul did not do what it was asked, by what it said. */

/** @param reason as the client of Consul words it @param prefix of the mesh's keys */
export function consulAdvice(reason: string, prefix: string): string {
  const [, text = ""] = /answered (\d{3})/.exec(reason) ?? [];
  const status = Number(text);
  if (status === 403 && /ACL not found/i.test(reason)) return "Look at it with: consul acl token read -self.";
  if (status === 403 || /may not read/.test(reason)) {
    return `Commands need key_prefix "${prefix}/" (read, and write to change policy), and service_prefix "" and node_prefix "" (read).`;
  }
  if (status === 413)
    return "The server takes no more in one request (kv_max_value_size, txn_max_req_len). Split the documents.";
  if (status === 429) return "The server limits requests. Try again in a moment.";
  if (status >= 500)
    return "Its servers may be choosing a leader: try again in a few seconds. See: consul operator raft list-peers";
  if (status >= 400) return "Check that this address is a Consul's HTTP API, and its version: 1.8 or newer.";
  if (/others kept changing/.test(reason)) return "Look who does: inmesh history.";
  if (/certificate|TLS/.test(reason)) return "Correct it, and try again. See docs/reference/consul.md.";
  return "Start it, or name another: --config consul://HOST:8500, INMESH_CONFIG or CONSUL_HTTP_ADDR.";
}
