/**
 * Fields of a config entry as any of its writers spells them: Consul's API (`ServiceSubset`), HCL of old (`service_subset`)
 * and Kubernetes (`serviceSubset`). What is not there, or is null, is absent; what is of the wrong type is told by a FieldFault.
 */

export type Data = Readonly<Record<string, unknown>>;

/** What makes an entry unusable; ends in a Problem that names the entry. */
export class FieldFault extends Error {
  override readonly name = "FieldFault";
}

export class Fields {
  /** Of the entry: `Routes[2].Match`. */
  readonly path: string;
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #known = new Set<string>();

  /** @throws {FieldFault} unless `data` is an object */
  constructor(data: unknown, path = "") {
    if (!isData(data)) throw new FieldFault(`${path || "the entry"} is ${shown(data)}, expected an object`);
    this.path = path;
    this.#values = new Map(Object.entries(data).map(([key, value]) => [plain(key), value]));
  }

  /** Undefined where it is absent or null. */
  value(name: string): unknown {
    this.#known.add(plain(name));
    return this.#values.get(plain(name)) ?? undefined;
  }

  text(name: string): string | undefined {
    const value = this.value(name);
    if (value === undefined || typeof value === "string") return value || undefined;
    throw this.#wrong(name, value, "a string");
  }

  flag(name: string): boolean {
    const value = this.value(name);
    if (value === undefined || typeof value === "boolean") return value ?? false;
    throw this.#wrong(name, value, "true or false");
  }

  number(name: string): number | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isFinite(value)) return value;
    throw this.#wrong(name, value, "a number");
  }

  /** In ms; undefined for none and for 0, which mean the same to Consul. Strings as Go writes them, or nanoseconds. */
  durationMs(name: string): number | undefined {
    const value = this.value(name);
    if (value === undefined || value === "") return undefined;
    const ms = typeof value === "number" ? value / 1e6 : typeof value === "string" ? goDurationMs(value) : undefined;
    if (ms === undefined || !Number.isFinite(ms)) throw this.#wrong(name, value, 'a duration such as "5s"');
    return ms > 0 ? ms : undefined;
  }

  /** Empty where it is absent. */
  fields(name: string): Fields {
    return new Fields(one(this.value(name)) ?? {}, this.#at(name));
  }

  optional(name: string): Fields | undefined {
    const value = one(this.value(name));
    return value === undefined ? undefined : new Fields(value, this.#at(name));
  }

  /** HCL writes a block that stands once without a list. */
  list(name: string): readonly unknown[] {
    const value = this.value(name) ?? [];
    return Array.isArray(value) ? value : [value];
  }

  lists(name: string): readonly Fields[] {
    return this.list(name).map((value, index) => new Fields(value, `${this.#at(name)}[${index}]`));
  }

  texts(name: string): readonly string[] {
    return this.list(name).map((value) => {
      if (typeof value === "string") return value;
      throw this.#wrong(name, value, "strings");
    });
  }

  /** Keys are the user's own: taken as they are. */
  map<T>(name: string, read: (fields: Fields) => T): ReadonlyMap<string, T> {
    const value = one(this.value(name)) ?? {};
    if (!isData(value)) throw this.#wrong(name, value, "an object");
    const entries = Object.entries(value).filter(([, each]) => each !== null && each !== undefined);
    return new Map(
      entries.map(([key, each]) => [key, read(new Fields(one(each), `${this.#at(name)}[${JSON.stringify(key)}]`))]),
    );
  }

  textMap(name: string): ReadonlyMap<string, string> {
    const value = one(this.value(name)) ?? {};
    if (!isData(value)) throw this.#wrong(name, value, "an object");
    return new Map(
      Object.entries(value).map(([key, each]) => {
        if (typeof each === "string") return [key, each];
        throw this.#wrong(name, each, "strings");
      }),
    );
  }

  /** Keys that say something, as Consul spells them, and were never asked for. */
  unread(names: readonly string[]): readonly string[] {
    return names.filter((name) => !isEmpty(this.#values.get(plain(name))));
  }

  fault(name: string, message: string): FieldFault {
    return new FieldFault(`${this.#at(name)} ${message}`);
  }

  #at(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }

  #wrong(name: string, value: unknown, expected: string): FieldFault {
    return this.fault(name, `is ${shown(value)}, expected ${expected}`);
  }
}

export function isData(value: unknown): value is Data {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function plain(name: string): string {
  return name.replaceAll("_", "").toLowerCase();
}

/** HCL reads a block as a list of one. */
function one(value: unknown): unknown {
  return Array.isArray(value) && value.length === 1 && isData(value[0]) ? value[0] : value;
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isData(value) && Object.values(value).every(isEmpty);
}

export function shown(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : Array.isArray(value) ? "a list" : String(value);
  return isData(value) ? "an object" : text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ...{ ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1 },
  ...{ s: 1_000, m: 60_000, h: 3_600_000 },
};

function goDurationMs(text: string): number | undefined {
  if (text === "0") return 0;
  if (text.length > 64 || !/^[-+]?(?:\d+(?:\.\d*)?(?:ns|us|µs|μs|ms|s|m|h))+$/.test(text)) return undefined;
  let ms = 0;
  for (const [, number, unit = "s"] of text.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|μs|ms|s|m|h)/g)) {
    ms += Number(number) * (UNIT_MS[unit] ?? 0);
  }
  return text.startsWith("-") ? -ms : ms;
}
