/** Reads JSON whose shape is known, and says where it is another. */

import { MeshError } from "@inmesh/core";

export class JsonReader {
  readonly value: unknown;
  /** `bootstrap.json: xds_servers[0]` */
  readonly #where: string;

  constructor(value: unknown, where: string) {
    this.value = value;
    this.#where = where;
  }

  /** @throws {MeshError} CONFIG_INVALID */
  fail(expected: string): never {
    const shown = JSON.stringify(this.value)?.slice(0, 60) ?? "nothing";
    throw new MeshError("CONFIG_INVALID", `${this.#where}: found ${shown}, expected ${expected}`);
  }

  /** A member; of what is no object, or has none of that name, the value is undefined. */
  at(name: string): JsonReader {
    const { value } = this;
    const found =
      typeof value === "object" && value !== null && Object.hasOwn(value, name)
        ? (value as Record<string, unknown>)[name]
        : undefined;
    return new JsonReader(found, `${this.#where}${this.#where.endsWith(":") ? " " : "."}${name}`);
  }

  /** @throws {MeshError} CONFIG_INVALID where it is there and no text */
  text(): string | undefined {
    if (this.value === undefined) return undefined;
    if (typeof this.value !== "string") this.fail("a text");
    return this.value;
  }

  /** @throws {MeshError} CONFIG_INVALID where it is no text, or an empty one */
  needed(): string {
    return this.text() || this.fail("a text");
  }

  /** None where it is absent. @throws {MeshError} CONFIG_INVALID where it is no list */
  items(): readonly JsonReader[] {
    if (this.value === undefined) return [];
    if (!Array.isArray(this.value)) this.fail("a list");
    return this.value.map((each, index) => new JsonReader(each, `${this.#where}[${index}]`));
  }

  /** None where it is absent. @throws {MeshError} CONFIG_INVALID where it is no object */
  entries(): readonly (readonly [string, JsonReader])[] {
    if (this.value === undefined) return [];
    return Object.keys(this.object()).map((name) => [name, this.at(name)] as const);
  }

  /** @throws {MeshError} CONFIG_INVALID where it is no object */
  object(): Readonly<Record<string, unknown>> {
    const { value } = this;
    if (typeof value !== "object" || value === null || Array.isArray(value)) this.fail("an object");
    return value as Readonly<Record<string, unknown>>;
  }
}
