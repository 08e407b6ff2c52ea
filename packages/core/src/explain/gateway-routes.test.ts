/** 1,860 requests to random HTTPRoutes, judged by what Envoy Gateway did with them. ../shared/cases/README.md. */

import { type ClientContext, compile, type Snapshot } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { applyHeaderOps, editRequest } from "../call/request-edit.js";
import { readCaseFile, resourcesOf, sorted, whyMissing } from "../testing/recorded-cases.test.helper.js";
import { AskedRequest } from "./asked-request.js";
import { explain } from "./explain.js";

interface GatewayCase {
  readonly request: {
    readonly method: string;
    readonly host: string;
    readonly port: number;
    readonly path: string;
    readonly headers?: Record<string, string>;
    readonly backendHeaders?: Record<string, string>;
  };
  readonly expect: {
    readonly status: number;
    readonly backend?: string;
    readonly upstream?: { method: string; path: string; authority: string; headers?: Record<string, string> };
    readonly location?: string;
    readonly response?: Record<string, string>;
  };
}

interface CaseFile {
  readonly groups: readonly { id: string; routes: unknown[]; cases: GatewayCase[] }[];
}

const FILE = "gateway-routes.json";

const CLIENT: ClientContext = { namespace: "shop", service: "app", labels: {} };
/** Services of the recording; `ghost` is not among them. */
const SERVICES = ["cart", "pay", "a", "b", "c", "d", "e"].map((name) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "shop" },
  spec: { ports: [{ name: "http", port: 80 }] },
}));

/** In the recording's own form. Of several destinations the one that answered there. */
function answerOf(snapshot: Snapshot, { request, expect: wanted }: GatewayCase): GatewayCase["expect"] {
  const explained = explain(snapshot, request);
  const { outcome, status, destinations, redirect } = explained;
  const asked = new AskedRequest(request);
  const host = destinations.find((each) => each.host.split(".")[0] === wanted.backend)?.host ?? destinations[0]?.host;
  const route = snapshot.routes.lookup(request.host, request.port)?.find(asked);
  const destination =
    route?.action.kind === "forward" ? route.action.destinations.find((each) => each.host === host) : undefined;
  let headers = Object.entries(request.backendHeaders ?? {}).flat();
  if (outcome !== "route") headers = [];
  for (const ops of [destination?.responseHeaders, route?.responseHeaders]) {
    if (ops !== undefined) headers = [...applyHeaderOps(headers, ops, asked)];
  }
  const response = joined(headers);
  const edited = route && editRequest(route, destination, asked);
  return {
    status: status ?? 200,
    ...(outcome === "route" && {
      backend: host?.split(".")[0] ?? "",
      upstream: {
        method: request.method,
        path: edited?.path ?? "",
        authority: edited?.authority ?? "",
        ...nonEmpty("headers", joined(edited?.headers ?? [])),
      },
    }),
    ...(redirect && { location: redirect.location }),
    ...nonEmpty("response", response),
  };
}

/** The recording leaves out what is empty. */
function nonEmpty<Field extends string>(field: Field, values: Record<string, string>) {
  return Object.keys(values).length === 0 ? {} : ({ [field]: values } as Record<Field, Record<string, string>>);
}

function joined(flat: readonly string[]): Record<string, string> {
  const values: Record<string, string> = {};
  for (let index = 0; index < flat.length; index += 2) {
    const name = flat[index]!.toLowerCase(); // flat pairs: both indices are in range
    values[name] = values[name] === undefined ? flat[index + 1]! : `${values[name]},${flat[index + 1]!}`;
  }
  return values;
}

describe("explain, beside Envoy Gateway", () => {
  it("answers every recorded request as it did", (context) => {
    const missing = whyMissing(FILE);
    if (missing !== undefined) return context.skip(missing);
    const file = readCaseFile<CaseFile>(FILE);
    const services = resourcesOf(SERVICES);
    const wrong: unknown[] = [];
    let judged = 0;
    let snapshot: Snapshot | undefined;
    for (const { id, routes, cases } of file.groups) {
      const resources = [...services, ...resourcesOf(routes)];
      snapshot = compile({ resources, workloads: [], client: CLIENT, problems: [], version: 1 }, snapshot);
      for (const [index, each] of cases.entries()) {
        judged += 1;
        const found = answerOf(snapshot, each);
        if (JSON.stringify(sorted(found)) === JSON.stringify(sorted(each.expect))) continue;
        wrong.push({ case: `${id}/${index}`, request: each.request, wanted: each.expect, found });
      }
    }
    expect({ judged, wrongCount: wrong.length, first: wrong.slice(0, 3) }).toEqual({
      judged: 1_860,
      wrongCount: 0,
      first: [],
    });
  });
});
