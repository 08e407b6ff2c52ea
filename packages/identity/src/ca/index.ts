/** The certificate authority of a mesh. */

export { SvidProblem } from "../x509/svid-problem.js";
export { type AuthorityFiles, authorityFiles } from "./authority-files.js";
export {
  AuthorityFolder,
  type AuthorityFolderOptions,
  type LoadedAuthority,
  type LoadedRoot,
} from "./authority-folder.js";
export { AuthorityProblem } from "./authority-problem.js";
export type { AuthorityRecord, RootRecord, RootState } from "./authority-record.js";
export {
  type AuthorityMaterial,
  CertificateAuthority,
  DEFAULT_TTL_MS,
  type IssuedCertificate,
} from "./certificate-authority.js";
export { FolderAuthority, type FolderAuthorityOptions } from "./folder-authority.js";
export type { IssueEntry } from "./issue-log.js";
export { createAuthority, type KeyAndCertificate, type NewAuthorityOptions } from "./make-authority.js";
export {
  addRoot,
  addTrustDomain,
  type InitOptions,
  initAuthority,
  isTrusted,
  noAuthority,
  OVERLAP_MS,
  type RotateOptions,
  rotateIntermediate,
  type UseRootOptions,
  useNextRoot,
} from "./rotation.js";
