/** Who this process is, and how it knows the others. The authority is `@inmesh/identity/ca`, tokens are `@inmesh/identity/jwt`. */

export { type IdentityNotice, WorkloadIdentity, type WorkloadIdentityOptions } from "./identity/workload-identity.js";
export { AuthoritySource, type AuthoritySourceOptions, type IssuingAuthority } from "./source/authority-source.js";
export { CallbackSource, type CredentialCallback } from "./source/callback-source.js";
export { FileSource, type FileSourceOptions } from "./source/file-source.js";
export { type Certificate, certificatePem, parseChain, readCertificate } from "./x509/certificate.js";
export { checkCertificates, checkSvid, identityOf } from "./x509/check-svid.js";
export { createCsr, readCsr } from "./x509/csr.js";
export { generateKey, privateKeyPem, readPrivateKey } from "./x509/signature.js";
export { SvidProblem } from "./x509/svid-problem.js";
export { type Trust, trustOf } from "./x509/trust.js";
