/**
 * Keeps the policy of a folder in another registry: what is written into the folder is applied there, again with every
 * change, and what is deleted is deleted. What others put into that registry is left alone.
 */

import type { RegistryView, Source, Store } from "@inmesh/core";
import { messageOf } from "@inmesh/core";
import type { Document } from "@inmesh/model";

export interface PolicyMirrorOptions {
  /** The folder. */
  readonly source: Source;
  readonly store: Store;
  /** Documents that must not outlive the session: they are deleted at its end. @default none */
  readonly isTemporary?: (document: Document) => boolean;
  /** Told which of those may be in the registry, before they are and after they were. */
  readonly onTemporary?: (documents: readonly Document[]) => void;
  /** Told why the registry did not take it; it is tried again with the next change, and after `retryMs`. */
  readonly onFailure: (reason: string) => void;
  /** @default 1_000 */
  readonly retryMs?: number;
}

const NOTE = { who: "inmesh dev", reason: "the folder's files" };

export class PolicyMirror {
  readonly #options: Required<PolicyMirrorOptions>;
  /** Hash by key, of what was applied. */
  readonly #applied = new Map<string, string>();
  #wanted: ReadonlyMap<string, Document> = new Map();
  #working: Promise<void> = Promise.resolve();
  #retry: NodeJS.Timeout | undefined;
  #seen = false;

  constructor({ retryMs = 1_000, isTemporary = () => false, onTemporary = () => {}, ...options }: PolicyMirrorOptions) {
    this.#options = { ...options, retryMs, isTemporary, onTemporary };
  }

  /** Resolves when what the folder holds now was applied, or refused once. */
  async start(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#options.source.watch((view) => {
        this.#take(view);
        resolve();
      });
    });
    await this.#working;
  }

  /** Whether the folder's watch has noticed that they are gone or not, what is temporary goes. */
  async close(): Promise<void> {
    const { source, isTemporary } = this.#options;
    await source.close();
    this.#wanted = new Map([...this.#wanted].filter(([, document]) => !isTemporary(document)));
    this.#bringOver();
    await this.#working;
    clearTimeout(this.#retry);
  }

  #take({ documents }: RegistryView): void {
    this.#seen = true;
    this.#wanted = new Map(documents.map((document) => [document.key, document]));
    this.#bringOver();
  }

  /** One after the other: an older state must not overtake a newer one. */
  #bringOver(): void {
    clearTimeout(this.#retry);
    this.#working = this.#working.then(() => this.#step());
  }

  async #step(): Promise<void> {
    const { store, onFailure, retryMs, isTemporary, onTemporary } = this.#options;
    if (!this.#seen) return;
    const changed = [...this.#wanted.values()].filter(({ key, hash }) => this.#applied.get(key) !== hash);
    const gone = [...this.#applied.keys()].filter((key) => !this.#wanted.has(key));
    const temporary = [...this.#wanted.values()].filter(isTemporary);
    try {
      if (temporary.length > 0) onTemporary(temporary);
      if (changed.length > 0) await store.apply(changed, NOTE);
      for (const { key, hash } of changed) this.#applied.set(key, hash);
      if (gone.length > 0) await store.delete(gone, NOTE);
      for (const key of gone) this.#applied.delete(key);
      if (temporary.length === 0) onTemporary([]);
    } catch (error) {
      onFailure(messageOf(error));
      this.#retry = setTimeout(() => this.#bringOver(), retryMs);
      this.#retry.unref();
    }
  }
}
