/** What callers know of the servers of each namespace: see namespacePeerMode. Worked out when it is asked for. */

import type { PeerAuthenticationSpec } from "../kind/peer-authentication.js";
import type { Resource } from "../resource.js";
import type { PeerModeInForce } from "../snapshot/security.js";
import { Generations } from "./generations.js";
import { isSamePeerMode, namespacePeerMode } from "./peer-policy.js";

type Documents = readonly Resource<PeerAuthenticationSpec>[];

export class PeerModes {
  readonly #documents: Documents;
  readonly #rootNamespace: string;
  readonly #modes: Generations<PeerModeInForce>;

  private constructor(documents: Documents, rootNamespace: string, previous: PeerModes | undefined) {
    this.#documents = documents;
    this.#rootNamespace = rootNamespace;
    this.#modes = new Generations(previous === undefined ? undefined : previous.#modes);
  }

  /** @returns `previous` itself where the documents are the same */
  static after(previous: PeerModes | undefined, documents: Documents, rootNamespace: string): PeerModes {
    const same = previous !== undefined && previous.#documents === documents;
    return same && previous.#rootNamespace === rootNamespace
      ? previous
      : new PeerModes(documents, rootNamespace, previous);
  }

  /** The same object as before while it says the same. */
  of(namespace: string): PeerModeInForce {
    const known = this.#modes.get(namespace);
    if (known !== undefined) return known;
    const root = this.#rootNamespace;
    const speaking = this.#documents.filter((each) => each.namespace === namespace || each.namespace === root);
    const found = namespacePeerMode(speaking, root);
    const earlier = this.#modes.earlier(namespace);
    const mode = earlier !== undefined && isSamePeerMode(earlier, found) ? earlier : found;
    this.#modes.set(namespace, mode);
    return mode;
  }
}
