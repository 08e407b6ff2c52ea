/** What is wrong with a resource, and what of it is not honoured. */

import { NONE } from "../client/none.js";

/** The resource is refused as it is: a NACK that names it, and its last good version stays (gRFC A46). */
export class Refused extends Error {
  override readonly name = "Refused";
}

/** Collects what is found on the way through one resource. */
export class Findings {
  readonly #faults: string[] = [];
  readonly #notices = new Set<string>();

  /** It is refused for this, once all of it was looked at. */
  fault(text: string): void {
    this.#faults.push(text);
  }

  /** Part of it is passed over. @param what by its name: `route_config.internal_only_headers` */
  notHonoured(what: string): void {
    this.#notices.add(what);
  }

  /** Names a message has beyond those that are read. `@type` apart. */
  unread(message: object, read: ReadonlySet<string>, where: string): void {
    for (const name of Object.keys(message)) if (!read.has(name)) this.#notices.add(`${where}.${name}`);
  }

  /** What was found in a part. */
  adopt(part: Findings): void {
    this.#faults.push(...part.#faults);
    for (const notice of part.#notices) this.#notices.add(notice);
  }

  get notices(): readonly string[] {
    return this.#notices.size === 0 ? NONE : [...this.#notices];
  }

  /** @throws {Refused} all faults in one message */
  end(): void {
    if (this.#faults.length > 0) throw new Refused(this.#faults.join("; "));
  }
}

/** Field names of a message that mean something here, or nothing anywhere. */
export function known(...names: readonly string[]): ReadonlySet<string> {
  return new Set(["@type", ...names]);
}
