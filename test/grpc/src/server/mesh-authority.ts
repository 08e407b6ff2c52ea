/** Identities of a mesh for tests of gRPC: what a member is given, and what a client of grpc-js shows. */

import { createPublicKey } from "node:crypto";
import { type ChannelCredentials, credentials } from "@grpc/grpc-js";
import { generateKey, privateKeyPem } from "@inmesh/identity";
import { createAuthority } from "@inmesh/identity/ca";
import type { MeshOptions } from "@inmesh/node";

export const WEB = "spiffe://cluster.local/ns/default/sa/web";
export const PAY = "spiffe://cluster.local/ns/default/sa/pay";
const TTL_MS = 3_600_000;

export class MeshAuthority {
  readonly #authority = createAuthority({ trustDomains: ["cluster.local"], wallTime: Date.now });

  get roots(): string {
    return (this.#authority.bundles.get("cluster.local") ?? []).join("");
  }

  issue(id: string): { readonly certificateChain: string; readonly privateKey: string } {
    const key = generateKey();
    const { certificateChain } = this.#authority.signKey(createPublicKey(key), id, TTL_MS);
    return { certificateChain, privateKey: privateKeyPem(key) };
  }

  /**
   * Of a caller that shows `id` and believes whoever has a certificate of the authority.
   * @param seen told of the serial number that the server shows on each connection
   */
  client(id: string, seen?: (serialNumber: string) => void): ChannelCredentials {
    const { certificateChain, privateKey } = this.issue(id);
    const [roots, key, chain] = [this.roots, privateKey, certificateChain].map((text) => Buffer.from(text));
    return credentials.createSsl(roots, key, chain, {
      checkServerIdentity: (_, { serialNumber }) => {
        seen?.(serialNumber);
        return undefined;
      },
    });
  }
}

/** For option `identity`. */
export function givenBy(authority: MeshAuthority, id: string): NonNullable<MeshOptions["identity"]> {
  return async () => ({ ...authority.issue(id), roots: authority.roots });
}
