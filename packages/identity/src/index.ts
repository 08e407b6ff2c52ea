/** Who this process is, and how it knows the others. The authority is `@inmesh/identity/ca`, tokens are `@inmesh/identity/jwt`. */

export { type IdentityNotice, WorkloadIdentity, type WorkloadIdentityOptions } from "./identity/workload-identity.js";
export { CallbackSource, type CredentialCallback } from "./source/callback-source.js";
export type { CredentialSource, GivenCredentials } from "./source/credential-source.js";
export { FileSource, type FileSourceOptions } from "./source/file-source.js";
export { SvidProblem } from "./x509/svid-problem.js";
