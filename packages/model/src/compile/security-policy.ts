/** What the servers of a process ask of those who call them, compiled. The same object as before unless something changed. */

import type { SecurityPolicy } from "../snapshot/security.js";
import { compileAccess } from "./access/access-control.js";
import { jwtRules } from "./jwt-rules.js";
import { saysThatPathCaseIsIgnored } from "./path-case.js";
import { peerPolicy } from "./peer-policy.js";
import type { ResourcesByKind } from "./resources-by-kind.js";
import {
  type RefusedDocument,
  type SecurityDocuments,
  type SelectedWorkload,
  securityDocuments,
} from "./security-documents.js";
import type { SecuritySettings } from "./security-settings.js";

/** A policy beside what it was made of, so that the next view can tell whether it still stands. */
export interface CompiledSecurity {
  readonly policy: SecurityPolicy;
  readonly documents: SecurityDocuments;
  readonly settings: SecuritySettings;
  readonly rootNamespace: string;
}

export interface SecurityContext extends Pick<CompiledSecurity, "settings" | "rootNamespace"> {
  readonly refused: readonly RefusedDocument[];
}

export function compileSecurity(
  kinds: ResourcesByKind,
  workload: SelectedWorkload,
  { settings, rootNamespace, refused }: SecurityContext,
  previous: CompiledSecurity | undefined,
): CompiledSecurity {
  const old = previous?.rootNamespace === rootNamespace ? previous : undefined;
  const documents = securityDocuments(kinds, workload, rootNamespace, refused, old?.documents);
  const ignoresPathCase = saysThatPathCaseIsIgnored([
    ...documents.access,
    ...kinds.Namespace.filter(({ name }) => name === workload.namespace || name === rootNamespace),
  ]);
  if (
    old !== undefined &&
    documents === old.documents &&
    settings === old.settings &&
    ignoresPathCase === old.policy.ignoresPathCase
  ) {
    return old;
  }
  const { authorizers, ...ofMesh } = settings;
  const policy: SecurityPolicy = {
    ...ofMesh,
    peer: peerPolicy(documents.peers, rootNamespace),
    jwt: jwtRules(documents.tokens),
    access: compileAccess({
      policies: documents.access,
      refused: documents.refused,
      trustDomains: ofMesh.trustDomains,
      ignoresPathCase,
    }),
    authorizers: new Map(authorizers.map((authorizer) => [authorizer.name, authorizer])),
    ignoresPathCase,
  };
  return { policy, documents, settings, rootNamespace };
}
