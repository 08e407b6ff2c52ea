/**
 * Consul's compiled discovery chain, asked what becomes of a request: routes in order, then the splits, as its Envoy would.
 * Written from what Consul prints and Envoy documents, without a line of what is tested.
 */

export interface AskedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Verdict {
  /** Percent by `subset.service@datacenter`. */
  readonly shares: Readonly<Record<string, number>>;
  readonly path: string;
  readonly timeoutMs: number;
  /** Null: nothing is said of them. */
  readonly retries: { readonly attempts: number; readonly on: readonly string[] } | null;
  /** Of the request, where one destination gets it. */
  readonly set: Readonly<Record<string, string>>;
}

type Data = Readonly<Record<string, unknown>>;
const data = (value: unknown): Data => (value ?? {}) as Data;
const list = (value: unknown): readonly Data[] => (value ?? []) as readonly Data[];
const text = (value: unknown): string => (typeof value === "string" ? value : "");

export function judge(chain: unknown, request: AskedRequest): Verdict {
  const { Nodes, StartNode, Targets } = data(chain);
  const nodes = data(Nodes);
  const start = data(nodes[text(StartNode)]);
  let next = text(StartNode);
  let destination: Data = {};
  let match: Data = {};
  if (start["Type"] === "router") {
    const route = list(start["Routes"]).find((each) =>
      fits(data(data(data(each["Definition"])["Match"])["HTTP"]), request),
    );
    next = text(route?.["NextNode"]);
    destination = data(data(route?.["Definition"])["Destination"]);
    match = data(data(data(route?.["Definition"])["Match"])["HTTP"]);
  }
  const node = data(nodes[next]);
  const splits = node["Type"] === "splitter" ? list(node["Splits"]) : [{ Weight: 100, NextNode: next }];
  const shares: Record<string, number> = {};
  for (const { Weight, NextNode } of splits) {
    const target = data(data(Targets)[text(data(data(nodes[text(NextNode)])["Resolver"])["Target"])]);
    const name = `${text(target["ServiceSubset"])}.${text(target["Service"])}@${text(target["Datacenter"])}`;
    if (Number(Weight) > 0) shares[name] = (shares[name] ?? 0) + Number(Weight);
  }
  const set = data(data(destination["RequestHeaders"])["Set"]) as Record<string, string>;
  const only = splits.length === 1 ? data(data(data(splits[0])["Definition"])["RequestHeaders"]) : {};
  const direct = start["Type"] === "resolver" ? data(start["Resolver"])["RequestTimeout"] : undefined;
  return {
    shares,
    path: rewritten(request.path, match, text(destination["PrefixRewrite"])),
    timeoutMs: milliseconds(destination["RequestTimeout"] ?? direct),
    retries: retries(destination),
    set: Object.keys(shares).length > 1 ? {} : { ...(data(only["Set"]) as Record<string, string>), ...set },
  };
}

function fits(http: Data, { method, path, headers }: AskedRequest): boolean {
  const [bare = "", query = ""] = path.split("?");
  const { PathExact, PathPrefix, PathRegex, Methods } = http;
  if (PathExact && bare !== PathExact) return false;
  if (PathPrefix && !bare.startsWith(text(PathPrefix))) return false;
  if (PathRegex && !whole(text(PathRegex), bare)) return false;
  if (Array.isArray(Methods) && Methods.length > 0 && !Methods.includes(method)) return false;
  const params = new Map(query.split("&").map((pair) => pair.split("=", 2) as [string, string]));
  for (const test of list(http["QueryParam"])) {
    const name = text(test["Name"]);
    if (!params.has(name) || !holds(test, params.get(name) ?? "")) return false;
  }
  return list(http["Header"]).every((test) => {
    const value = headers[text(test["Name"])];
    // Envoy: without the header only "is it there" can hold, or fail to.
    if (value === undefined) return test["Present"] === true && test["Invert"] === true;
    return holds(test, value) !== (test["Invert"] === true);
  });
}

function holds({ Exact, Prefix, Suffix, Regex }: Data, value: string): boolean {
  if (Exact) return value === Exact;
  if (Prefix) return value.startsWith(text(Prefix));
  if (Suffix) return value.endsWith(text(Suffix));
  return Regex ? whole(text(Regex), value) : true;
}

function whole(regex: string, value: string): boolean {
  return new RegExp(`^(?:${regex})$`).test(value);
}

function rewritten(path: string, { PathExact, PathPrefix }: Data, prefix: string): string {
  const [bare = "", ...query] = path.split("?");
  const matched = text(PathExact) || text(PathPrefix);
  return prefix === "" ? path : [prefix + bare.slice(matched.length), ...query].join("?");
}

function retries({ NumRetries, RetryOnConnectFailure, RetryOnStatusCodes }: Data): Verdict["retries"] {
  const codes = (RetryOnStatusCodes ?? []) as readonly number[];
  if (!NumRetries && !RetryOnConnectFailure && codes.length === 0) return null;
  const on = [...(RetryOnConnectFailure ? ["connect-failure"] : []), ...codes.map(String)];
  return { attempts: on.length === 0 ? 0 : Number(NumRetries) || 1, on };
}

/** As text or as nanoseconds. */
function milliseconds(value: unknown): number {
  if (typeof value === "number") return value / 1e6;
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text(value)) ?? [];
  return number === undefined ? 0 : Number(number) * ({ ms: 1, s: 1_000, m: 60_000 }[unit ?? ""] ?? 0);
}
