/** Why Consul could not be asked, in words that say what to do. */

import type { ConsulTarget } from "./consul-target.js";

/** What Node and OpenSSL say of a certificate that is signed by nobody whom this process trusts. */
const UNTRUSTED: ReadonlySet<string> = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_SIGNATURE_FAILURE",
]);

/** A server's last word to a client whose certificate it does not like; after TLS 1.3 it comes when all seemed well. */
const REFUSES_CLIENT = /^ERR_SSL_\w*ALERT_(BAD_CERTIFICATE|CERTIFICATE_\w+|UNKNOWN_CA|UNSUPPORTED_CERTIFICATE)$/;

export function connectionReason(
  error: Error,
  { host, secure, tls }: Pick<ConsulTarget, "host" | "secure" | "tls">,
): string {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (code === "ECONNREFUSED") return "nothing listens there (ECONNREFUSED)";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return `the name ${host} cannot be looked up (${code})`;
  if (code === "ECONNRESET" || code === "EPIPE") return `the connection was lost (${code})`;
  if (UNTRUSTED.has(code))
    return `its certificate is signed by no authority that is trusted here (${code}): name Consul's CA in CONSUL_CACERT or by ?ca=FILE`;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return `its certificate is not for ${host} (${code}): say by ?serverName= which name is in it`;
  if (code === "CERT_HAS_EXPIRED") return `its certificate has expired (${code})`;
  if (REFUSES_CLIENT.test(code)) {
    const what =
      tls?.cert === undefined
        ? "asks for a certificate of this process, and there is none"
        : "does not accept this process's certificate";
    return `it ${what} (${code}): name one that its CA signed in CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY, or by ?cert=FILE&key=FILE`;
  }
  if (code === "EPROTO" || /wrong version number/i.test(error.message)) return "it does not speak TLS on this port";
  if (code.startsWith("HPE_"))
    return secure ? "its answer is no HTTP" : "its answer is no HTTP; where it speaks TLS write consul+https://";
  return code === ""
    ? error.message.replace(/^consul: \w+ \S+: /, "")
    : `${error.message.replace(/^consul: \w+ \S+: /, "")} (${code})`;
}
