/** The certificate authority of a mesh. */

export { SvidProblem } from "../x509/svid-problem.js";
export {
  type AuthorityMaterial,
  CertificateAuthority,
  DEFAULT_TTL_MS,
  type IssuedCertificate,
} from "./certificate-authority.js";
export { createAuthority, type NewAuthorityOptions } from "./make-authority.js";
