/** service-router and service-splitter: where requests go. */

import { isRegisteredStatus } from "@inmesh/model/internal";
import type {
  HeaderChange,
  NotHonoured,
  RouteDestination,
  RouteMatch,
  ServiceRoute,
  ServiceRouter,
  ServiceSplitter,
  ValueMatch,
} from "./config-entry.js";
import { FieldFault, type Fields } from "./field.js";

/** Weights are percent with two decimals: so many of their units in 100 %. */
export const WEIGHT_UNITS = 10_000;

/** @throws {FieldFault} */
export function readSplitter(name: string, fields: Fields): ServiceSplitter {
  const splits = fields.lists("Splits").map((split) => ({
    weight: split.number("Weight") ?? 0,
    service: split.text("Service") ?? "",
    subset: split.text("ServiceSubset") ?? "",
    ...readHeaders(split),
  }));
  const units = splits.reduce((sum, { weight }) => sum + Math.round(weight * 100), 0);
  if (splits.some(({ weight }) => weight < 0)) throw new FieldFault("Splits have a negative Weight");
  if (units !== WEIGHT_UNITS) throw new FieldFault(`the weights of Splits sum up to ${units / 100}, expected 100`);
  return { name, splits, notHonoured: [] };
}

/** @throws {FieldFault} */
export function readRouter(name: string, fields: Fields): ServiceRouter {
  const notHonoured: NotHonoured[] = [];
  const routes = fields.lists("Routes").map((route) => readRoute(route, notHonoured));
  return { name, routes, notHonoured };
}

function readRoute(fields: Fields, notHonoured: NotHonoured[]): ServiceRoute {
  const http = fields.optional("Match")?.optional("HTTP");
  return { match: http && readMatch(http), destination: readDestination(fields.fields("Destination"), notHonoured) };
}

function readMatch(fields: Fields): RouteMatch {
  const match = {
    pathExact: fields.text("PathExact"),
    pathPrefix: fields.text("PathPrefix"),
    pathRegex: fields.text("PathRegex"),
  };
  const paths = Object.values(match).filter((path) => path !== undefined);
  if (paths.length > 1) throw new FieldFault(`${fields.path} has ${paths.length} paths, expected one`);
  return {
    ...match,
    ignoreCase: fields.flag("CaseInsensitive"),
    headers: fields.lists("Header").map(readValueMatch),
    query: fields.lists("QueryParam").map(readValueMatch),
    methods: fields.texts("Methods").map((method) => method.toUpperCase()),
  };
}

const KINDS = [
  ["Exact", "exact"],
  ["Prefix", "prefix"],
  ["Suffix", "suffix"],
  ["Contains", "contains"],
  ["Regex", "regex"],
] as const;

/** Also of an intention's permissions. @throws {FieldFault} */
export function readValueMatch(fields: Fields): ValueMatch {
  const name = fields.text("Name");
  if (name === undefined) throw fields.fault("Name", "is missing");
  const written = KINDS.flatMap(([field, kind]) => {
    const value = fields.text(field);
    return value === undefined ? [] : [{ kind, value }];
  });
  const present = fields.flag("Present");
  if (written.length + (present ? 1 : 0) !== 1) {
    throw new FieldFault(
      `${fields.path} says ${present ? "Present and " : ""}${written.length} values, expected one test`,
    );
  }
  const test = written[0] ?? { kind: "present" as const, value: "" };
  return { name, ...test, ignoreCase: fields.flag("IgnoreCase"), invert: fields.flag("Invert") };
}

function readDestination(fields: Fields, notHonoured: NotHonoured[]): RouteDestination {
  const destination = {
    service: fields.text("Service") ?? "",
    subset: fields.text("ServiceSubset") ?? "",
    prefixRewrite: fields.text("PrefixRewrite") ?? "",
    requestTimeoutMs: fields.durationMs("RequestTimeout"),
    retries: fields.number("NumRetries") || undefined,
    retryOnConnectFailure: fields.flag("RetryOnConnectFailure"),
    retryOnStatusCodes: fields.list("RetryOnStatusCodes").filter((code): code is number => {
      if (typeof code !== "number") throw fields.fault("RetryOnStatusCodes", "holds what is no number");
      if (isRegisteredStatus(code)) return true;
      const why = "HTTP has not registered it, and Istio retries on no such status.";
      notHonoured.push({ field: `${fields.path}.RetryOnStatusCodes: ${code}`, why });
      return false;
    }),
    retryOn: fields.texts("RetryOn"),
    ...readHeaders(fields),
  };
  if (fields.durationMs("IdleTimeout") !== undefined) {
    const why = "A request that stands still ends with its timeout, or with the connection's idleTimeout.";
    notHonoured.push({ field: `${fields.path}.IdleTimeout`, why });
  }
  const { retries, retryOnConnectFailure, retryOnStatusCodes, retryOn } = destination;
  if (retries !== undefined && !retryOnConnectFailure && retryOnStatusCodes.length + retryOn.length === 0) {
    const why = "Nothing says on what to retry, so nothing is retried, as in Envoy.";
    notHonoured.push({ field: `${fields.path}.NumRetries`, why, severity: "info" });
  }
  return destination;
}

function readHeaders(fields: Fields): { requestHeaders: HeaderChange; responseHeaders: HeaderChange } {
  const read = (name: string): HeaderChange => {
    const change = fields.fields(name);
    return { add: change.textMap("Add"), set: change.textMap("Set"), remove: change.texts("Remove") };
  };
  return { requestHeaders: read("RequestHeaders"), responseHeaders: read("ResponseHeaders") };
}
