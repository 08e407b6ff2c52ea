/** Config entries and requests by chance: services lead to services after them, so that there are no circles. */

import type { Random } from "@inmesh/core";

export interface RandomShop {
  /** The first is the one that is called. */
  readonly services: readonly string[];
  /** In the order in which Consul takes them. */
  readonly entries: readonly Readonly<Record<string, unknown>>[];
}

const PATHS = ["/", "/a", "/a/b", "/ab", "/v1/x", "/V1/x", "/v12"] as const;
const VALUES = ["1", "12", "abc", "abz", "xyz"] as const;
const METHODS = ["GET", "POST", "PUT"] as const;
const SUBSETS = ["v1", "v2", "v3"] as const;

/** @param headers whether the server takes changes of headers, from 1.10 on */
export function randomShop(random: Random, prefix: string, headers: boolean): RandomShop {
  const of = <T>(values: readonly T[]): T => values[random.int(values.length)]!; // none is empty
  const maybe = <T>(share: number, make: () => T): T | undefined => (random.next() < share ? make() : undefined);
  const services = ["a", "b", "c", "d", "e"].map((name) => `${prefix}-${name}`);
  const after = (index: number): readonly string[] => services.slice(index + 1);
  const plain = new Set<string>();
  const entries: Record<string, unknown>[] = [];
  const change = (): object =>
    headers ? (maybe(0.5, () => ({ RequestHeaders: { Set: { "x-set": of(VALUES) } } })) ?? {}) : {};
  const place = (index: number): object => {
    const service = maybe(0.7, () => of([services[index]!, ...after(index)]));
    const named = service ?? services[index]!;
    const subset = maybe(plain.has(named) ? 0.6 : 0.3, () => of(SUBSETS)); // a redirect forgets it
    return { ...(service && { Service: service }), ...(subset && { ServiceSubset: subset }) };
  };
  for (let index = services.length - 1; index >= 0; index--) {
    const Name = services[index]!;
    const kind = random.next();
    if (kind < 0.3 && index < services.length - 1 && index > 0) {
      entries.push({ Kind: "service-resolver", Name, Redirect: { Service: of(after(index)) } });
      continue;
    }
    plain.add(Name);
    entries.push({
      ...{ Kind: "service-resolver", Name },
      Subsets: Object.fromEntries(SUBSETS.map((name) => [name, { Filter: `Service.Meta.version == ${name}` }])),
      ...maybe(0.4, () => ({ DefaultSubset: of(SUBSETS) })),
      ...maybe(0.3, () => ({ ConnectTimeout: "2s" })),
    });
  }
  for (let index = services.length - 1; index >= 0; index--) {
    if (random.next() < 0.5) continue;
    const weights = splitWeights(random);
    const Splits = weights.map((Weight) => ({ Weight, ...place(index), ...change() }));
    entries.push({ Kind: "service-splitter", Name: services[index], Splits });
  }
  const Routes = Array.from({ length: 1 + random.int(6) }, () => {
    const path = maybe(0.7, () =>
      of<object>([{ PathExact: of(PATHS) }, { PathPrefix: of(PATHS) }, { PathRegex: "/v[0-9]+.*" }]),
    );
    const Header = maybe(0.4, () => Array.from({ length: 1 + random.int(2) }, (_, n) => valueTest(`x-${n}`)));
    const QueryParam = maybe(0.3, () => [
      { Name: "q", ...of<object>([{ Exact: of(VALUES) }, { Regex: "[0-9]+" }, { Present: true }]) },
    ]);
    const Methods = maybe(0.3, () => [of(METHODS)]);
    const rewrites = path !== undefined && !("PathRegex" in path);
    return {
      Match: {
        HTTP: { ...path, ...(Header && { Header }), ...(QueryParam && { QueryParam }), ...(Methods && { Methods }) },
      },
      Destination: {
        ...place(0),
        ...(rewrites && maybe(0.4, () => ({ PrefixRewrite: of(["/", "/new", "/new/"]) }))),
        ...maybe(0.4, () => ({ RequestTimeout: of(["3s", "150ms"]) })),
        ...maybe(0.3, () => ({ NumRetries: 1 + random.int(4) })),
        ...maybe(0.3, () => ({ RetryOnConnectFailure: true })),
        ...maybe(0.3, () => ({ RetryOnStatusCodes: [503, 429] })),
        ...change(),
      },
    };
  });
  if (random.next() < 0.85) entries.push({ Kind: "service-router", Name: services[0], Routes });
  return { services, entries };

  function valueTest(Name: string): object {
    const value = of(VALUES);
    const test = of<object>([
      ...[{ Exact: value }, { Prefix: value.slice(0, 2) }, { Suffix: value.slice(-1) }, { Regex: "[a-c]+|[0-9]+" }],
      { Present: true },
    ]);
    return { Name, ...test, ...(random.next() < 0.3 && { Invert: true }) };
  }
}

/** Two decimals, 100 in all. */
function splitWeights(random: Random): readonly number[] {
  const first = random.int(10_001);
  const second = random.int(10_001 - first);
  const all =
    random.next() < 0.3
      ? [10_000]
      : random.next() < 0.5
        ? [first, 10_000 - first]
        : [first, second, 10_000 - first - second];
  return all.map((units) => units / 100);
}

export function randomRequest(random: Random) {
  const of = <T>(values: readonly T[]): T => values[random.int(values.length)]!; // none is empty
  const headers: Record<string, string> = {};
  for (const name of ["x-0", "x-1"]) if (random.next() < 0.6) headers[name] = of(VALUES);
  const query = random.next() < 0.5 ? `?q=${of(VALUES)}` : "";
  return { method: of(METHODS), path: `${of(PATHS)}${query}`, headers };
}
