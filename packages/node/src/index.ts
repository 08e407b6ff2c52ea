export type { GivenCredentials } from "@inmesh/core";
export type { CredentialCallback } from "@inmesh/identity";
export type { PeerIdentity } from "@inmesh/model";
export { createMesh } from "./create-mesh.js";
export type { Mesh, MetricsText, TimeLimit } from "./mesh.js";
export type { DrainResult } from "./plane/drain.js";
export { registeredMesh } from "./registered-mesh.js";
export type { IdentitySource, MeshOptions, Seam, SharedRegistry } from "./settings/options.js";
