/**
 * Reads an answer resource by resource, so that somebody else may take turns in between; nothing is changed by it. A resource
 * that cannot be used is a problem of its own and of nobody else (gRFC A46).
 */

import { messageOf } from "@inmesh/core";
import type { AdsAnswer, SentResource, SentResources } from "../ads/messages.js";
import { ownVersion, type Place, type Shelved } from "./byte-shelf.js";
import type { TypeCache } from "./type-cache.js";

interface Found {
  readonly name: string;
  readonly ttlMs: number | undefined;
}

export type Finding<Value> =
  | (Found & { readonly kind: "alive" })
  /** Where it stands by its version of now; undefined: where it does. */
  | (Found & { readonly kind: "same"; readonly place: Place | undefined })
  /** Other bytes of the same meaning. */
  | (Found & { readonly kind: "alike"; readonly sent: Shelved })
  | (Found & { readonly kind: "changed"; readonly sent: Shelved; readonly value: Value });

export interface ReadProblem {
  /** Undefined where it has none that can be read. */
  readonly name: string | undefined;
  readonly text: string;
  readonly bytes: Uint8Array | undefined;
  /** Its own; empty where it has none. */
  readonly version: string;
}

/** Of the text that a server gets, in characters: it logs it, and some limit what a request may hold. */
const LONGEST_MESSAGE = 4_000;

export class AnswerReader<Value> {
  readonly findings: Finding<Value>[] = [];
  readonly problems: ReadProblem[] = [];
  /** Whether the answer claims to hold every resource of its type. */
  readonly isComplete: boolean;
  readonly #cache: TypeCache<Value>;
  readonly #resources: SentResources;
  readonly #version: string;
  readonly #seen = new Set<string>();
  #next = 0;

  constructor(cache: TypeCache<Value>, { resources, version }: AdsAnswer, isComplete: boolean) {
    this.#cache = cache;
    this.#resources = resources;
    this.#version = version;
    this.isComplete = isComplete;
  }

  get done(): boolean {
    return this.#next >= this.#resources.length;
  }

  /** Reads one more. Never throws. */
  step(): void {
    const index = this.#next++;
    const resource = this.#open(index);
    if (resource === undefined) return;
    const name = this.#nameOf(resource, index);
    if (name === undefined) return;
    if (this.#seen.has(name)) {
      this.problems.push({ name, text: "it is there more than once", bytes: undefined, version: resource.version });
      return;
    }
    this.#seen.add(name);
    // Servers may send more than they were asked for; what is kept unwanted must stay true, for it may be wanted again.
    if (this.#cache.wanted.has(name) || this.#cache.entry(name) !== undefined) this.#read(name, resource);
  }

  /** For the server; undefined where all is well. */
  get refusal(): string | undefined {
    if (this.problems.length === 0) return undefined;
    const lines = this.problems.map(({ name, text }) => (name === undefined ? text : `${name}: ${text}`));
    const message = `${this.problems.length} of ${this.#resources.length} resources refused: ${lines.join("; ")}`;
    return message.length <= LONGEST_MESSAGE ? message : `${message.slice(0, LONGEST_MESSAGE)}...`;
  }

  #open(index: number): SentResource | undefined {
    try {
      return this.#resources.at(index);
    } catch (error) {
      const text = `resource ${index + 1}: ${messageOf(error)}`;
      this.problems.push({ name: undefined, text, bytes: undefined, version: "" });
      return undefined;
    }
  }

  #nameOf({ type, value, name, version }: SentResource, index: number): string | undefined {
    const { type: known } = this.#cache;
    const { url } = known;
    // Istio's own kinds come in an envelope of another type, whose name is the wrapper's.
    const isOwnKind = url.includes("/");
    const refuse = (text: string) => {
      this.problems.push({ name: name === "" ? undefined : name, text, bytes: value, version });
      return undefined;
    };
    if (value === undefined) return name ? name : refuse(`resource ${index + 1} has neither a message nor a name`);
    if (!isOwnKind && type !== url)
      return refuse(`resource ${index + 1} is a ${type || "message of no type"}, where ${url} was expected`);
    if (isOwnKind && name) return name;
    try {
      const inner = known.nameOf(value);
      if (name && name !== inner && !name.startsWith("xdstp:")) return refuse(`the message calls itself ${inner}`);
      return name || inner;
    } catch (error) {
      return refuse(name ? messageOf(error) : `resource ${index + 1}: ${messageOf(error)}`);
    }
  }

  #read(sentName: string, { value, version, ttlMs }: SentResource): void {
    const cache = this.#cache;
    const { type, shelf } = cache;
    const own = ownVersion(version, this.#version);
    const entry = cache.entry(sentName);
    const name = cache.nameOf(sentName); // one text for as long as it is known, and not one more for each answer
    const refused = entry?.trouble?.refusal?.bytes;
    if (value === undefined) {
      this.findings.push({ kind: "alive", name, ttlMs });
    } else if (entry?.sent?.equals(value)) {
      this.findings.push({ kind: "same", name, ttlMs, place: shelf.renamed(entry.sent, value, own) });
    } else if (refused !== undefined && Buffer.compare(refused, value) === 0) {
      this.problems.push({ name, text: entry?.trouble?.error ?? "refused", bytes: refused, version });
    } else {
      const sent = shelf.keep(value, own);
      const bytes = sent.read();
      const before = entry?.sent === undefined ? undefined : entry.value;
      try {
        const decoded = type.decode(bytes, name, { sent, before });
        const alike = before !== undefined && (type.same?.(before, decoded) ?? false);
        if (alike) this.findings.push({ kind: "alike", name, ttlMs, sent });
        else this.findings.push({ kind: "changed", name, ttlMs, sent, value: decoded });
      } catch (error) {
        this.problems.push({ name, text: messageOf(error), bytes: new Uint8Array(bytes), version });
      }
    }
  }
}
