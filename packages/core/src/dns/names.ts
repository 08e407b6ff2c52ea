/** All names that the clusters of one mesh look up: each once, however many clusters share it, and as long as one does. */

import type { Clock } from "../runtime/clock.js";
import type { Random } from "../runtime/random.js";
import { LookedUpName } from "./looked-up-name.js";
import type { NameResolver } from "./resolver.js";

export interface NamesOptions {
  readonly resolver: NameResolver;
  readonly clock: Clock;
  readonly random: Random;
  /** MeshConfig dnsRefreshRate, in ms. */
  readonly refreshMs: () => number;
}

export interface NameWatch {
  readonly name: LookedUpName;
  /** Nobody else watches the name: it is looked up no more. */
  close(): void;
}

export class Names {
  readonly #options: NamesOptions;
  readonly #byName = new Map<string, LookedUpName>();

  constructor(options: NamesOptions) {
    this.#options = options;
  }

  /** @param changed called after every lookup that ended */
  watch(text: string, changed: () => void): NameWatch {
    let name = this.#byName.get(text);
    if (name === undefined) {
      name = new LookedUpName(text, this.#options);
      this.#byName.set(text, name);
    }
    const watched = name;
    const listener = (): void => changed(); // the same function may watch twice
    watched.listeners.add(listener);
    return {
      name: watched,
      close: () => {
        watched.listeners.delete(listener);
        if (watched.listeners.size > 0 || this.#byName.get(text) !== watched) return;
        watched.close();
        this.#byName.delete(text);
      },
    };
  }
}
