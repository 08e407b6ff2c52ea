/** Gateway API's own conformance cases for meshes, asked of explain. ../shared/cases/README.md. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ClientContext, compile, documentFromValue, type Resource, validateDocument } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { explain } from "./explain.js";

interface MeshCase {
  readonly line: number;
  readonly request: { method: string; path?: string; host?: string; headers?: Record<string, string> };
  readonly expect: {
    readonly status: readonly number[];
    readonly backend?: string;
    readonly redirect?: { path?: string; host?: string; port?: string | number; scheme?: string };
    readonly headers?: Record<string, string>;
    readonly absent?: readonly string[];
  };
}

interface CaseFile {
  readonly tests: readonly { test: string; routes: unknown[]; cases: MeshCase[] }[];
}

const REPOSITORY = fileURLToPath(new URL("../../../../", import.meta.url));
const { INMESH_CASES, INMESH_SHARED, INMESH_REQUIRE_PEERS } = process.env;
const FILE = join(INMESH_CASES ?? join(INMESH_SHARED ?? join(REPOSITORY, "../shared"), "cases"), "gateway-mesh.json");

const NAMESPACE = "gateway-conformance-mesh";
const CLIENT: ClientContext = { namespace: NAMESPACE, service: "app", labels: {} };
/** Those of the suite's manifests. */
const SERVICES = ["echo", "echo-v1", "echo-v2"].map((name) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: NAMESPACE },
  spec: {
    ports: [
      { name: "http", port: 80 },
      { name: "http-alt", port: 8080 },
    ],
  },
}));

function resourcesOf(values: readonly unknown[]): Resource[] {
  return values
    .flatMap((value) => documentFromValue(value).documents)
    .map((document) => {
      const { resource, problems } = validateDocument(document);
      if (resource === undefined) throw new Error(`${document.key} is refused: ${JSON.stringify(problems)}`);
      return resource;
    });
}

/** Addresses of pods, and a Host header that differs from what is called, are not what a caller of ours can write. */
function isOurs({ request }: MeshCase): boolean {
  return request.headers?.["host"] === undefined && !request.host?.startsWith("{");
}

describe("explain, in Gateway API's conformance cases for meshes", () => {
  it("answers as the specification demands", (context) => {
    if (!existsSync(FILE) && INMESH_REQUIRE_PEERS !== "1") {
      context.skip(`no recorded cases at ${FILE}: set INMESH_CASES to their folder`);
    }
    const { tests } = JSON.parse(readFileSync(FILE, "utf8")) as CaseFile;
    let judged = 0;
    for (const { test, routes, cases } of tests) {
      const resources = resourcesOf([...SERVICES, ...routes]);
      const snapshot = compile({ resources, workloads: [], client: CLIENT, problems: [], version: 1 });
      for (const each of cases.filter(isOurs)) {
        const { request, expect: wanted, line } = each;
        judged += 1;
        const where = `${test}:${line}`;
        const answer = explain(snapshot, { host: "echo", ...request });
        expect(wanted.status, where).toContain(answer.status ?? 200);
        const backends = answer.destinations.map(({ host }) => host.split(".")[0]);
        if (wanted.backend !== undefined) expect(backends, where).toEqual([wanted.backend]);
        const headers = { ...answer.responseHeaders.set, ...answer.responseHeaders.add };
        expect(headers, where).toMatchObject(wanted.headers ?? {});
        for (const name of wanted.absent ?? []) expect(Object.keys(headers), where).not.toContain(name.toLowerCase());
        if (wanted.redirect === undefined) continue;
        const location = new URL(answer.redirect?.location ?? "");
        const { path, host, port, scheme } = wanted.redirect;
        if (path !== undefined) expect(location.pathname, where).toBe(path);
        if (host !== undefined) expect(location.hostname, where).toBe(host);
        if (port !== undefined) expect(location.port, where).toBe(String(port));
        if (scheme !== undefined) expect(location.protocol, where).toBe(`${scheme}:`);
      }
    }
    expect(judged).toBe(48);
  });
});
