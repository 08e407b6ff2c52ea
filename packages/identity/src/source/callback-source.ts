/** A function of the application's that gives certificates: asked at the start and whenever half of a life is over. */

import type { CredentialSource, GivenCredentials } from "@inmesh/core";

export type CredentialCallback = (signal: AbortSignal) => GivenCredentials | Promise<GivenCredentials>;

export class CallbackSource implements CredentialSource {
  readonly description = "the application";
  readonly renewal = "asked";
  readonly #callback: CredentialCallback;

  constructor(callback: CredentialCallback) {
    this.#callback = callback;
  }

  async obtain(signal: AbortSignal): Promise<GivenCredentials> {
    const given = await this.#callback(signal);
    const { certificateChain, privateKey, roots } = given ?? {};
    const isRoots = typeof roots === "string" || roots instanceof Map;
    if (typeof certificateChain !== "string" || typeof privateKey !== "string" || !isRoots) {
      throw new Error("its function must give { certificateChain, privateKey, roots }, each PEM text");
    }
    return given;
  }
}
