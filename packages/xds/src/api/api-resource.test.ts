import { explain } from "@inmesh/core";
import {
  compile,
  type Document,
  documentFromValue,
  parseDocuments,
  type Resource,
  validateDocument,
} from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { apiResourceType } from "./api-resource.js";
import { API_KINDS } from "./kinds.js";
import { onTheWire, sent } from "./on-the-wire.test.helper.js";
import { readCaseFile, recordedConfig, recordedResources, whyNoRecordings } from "./recorded-istiod.test.helper.js";

const missing = whyNoRecordings();
if (missing !== undefined) console.warn(missing);

/** By key, of every kind that was recorded. */
function recorded(): Map<string, Document> {
  const answers = recordedResources("api.sotw");
  const documents = API_KINDS.flatMap((kind) => {
    const type = apiResourceType(kind);
    return (answers.get(kind.url) ?? []).flatMap((bytes) => type.decode(bytes, type.nameOf(bytes)).documents);
  });
  return new Map(documents.map((document) => [document.key, document]));
}

function written(): Map<string, Document> {
  const documents = [...recordedConfig()].flatMap(([file, text]) => parseDocuments(text, { file }).documents);
  return new Map(documents.map((document) => [document.key, document]));
}

function resourceOf(document: Document): Resource {
  const { resource, problems } = validateDocument(document);
  expect(problems.filter(({ severity }) => severity === "error").map(({ message }) => message)).toEqual([]);
  return resource!; // no error
}

describe.skipIf(missing !== undefined)("documents of a recorded istiod", () => {
  it("are those that were written for it, none missing and none refused", () => {
    const said = recorded();
    expect([...said.keys()].sort()).toEqual([...written().keys()].sort());
    for (const document of said.values()) expect(resourceOf(document).key).toBe(document.key);
  });

  it("say what was written", () => {
    const said = recorded();
    for (const [key, document] of written()) {
      const { message = "" } = API_KINDS.find(({ kind }) => kind === document.kind) ?? {};
      const { annotations, spec } = resourceOf(said.get(key)!).metadata && contentOf(said.get(key)!);
      const wanted = contentOf(document);
      expect(annotations, key).toEqual(wanted.annotations);
      if (document.kind === "MeshConfig")
        expect(sent(message, spec), key).toMatchObject(withoutProviders(sent(message, wanted.spec)));
      else expect(sent(message, spec), key).toEqual(sent(message, wanted.spec));
    }
  });

  it("are named by their metadata, which is read without the rest", () => {
    for (const kind of API_KINDS) {
      const type = apiResourceType(kind);
      for (const bytes of recordedResources("api.sotw").get(kind.url) ?? []) {
        const name = type.nameOf(bytes);
        const { documents } = type.decode(bytes, name);
        expect(documents.map(({ namespace, name: own }) => (own === "mesh" ? own : `${namespace}/${own}`))).toEqual([
          name,
        ]);
      }
    }
  });

  it("mean the same in other bytes, and something else with other content", () => {
    const virtualServices = API_KINDS.find(({ kind }) => kind === "VirtualService")!; // the table has it
    const { same, decode } = apiResourceType(virtualServices);
    const one = (headers: Record<string, unknown>) => {
      const spec = { hosts: ["a.example"], http: [{ match: [{ headers }], directResponse: { status: 200 } }] };
      return decode(onTheWire({ kind: "VirtualService", metadata: { name: "a" }, spec }).bytes, "default/a");
    };
    const first = one({ a: { exact: "1" }, b: { exact: "2" } });
    expect(same?.(first, one({ b: { exact: "2" }, a: { exact: "1" } }))).toBe(true);
    expect(same?.(first, one({ b: { exact: "2" }, a: { exact: "2" } }))).toBe(false);
  });
});

it("refuses a field that a newer Istio may have, so that no policy is half understood", () => {
  const { kind, bytes } = onTheWire({ kind: "AuthorizationPolicy", metadata: { name: "a" }, spec: { action: "DENY" } });
  const [body] = [Buffer.from(bytes)];
  // The body's message is the end of the resource: field 99, a varint, and both lengths before it three more.
  const at = body.lastIndexOf(Buffer.from([0x18, 0x01]));
  const longer = Buffer.concat([body.subarray(0, at + 2), Buffer.from([0x98, 0x06, 0x01])]);
  for (const index of [body.indexOf(0x12, body.indexOf("default/a") + 9) + 1, at - 1]) longer[index]! += 3;
  const { documents, problems } = apiResourceType(kind).decode(longer, "default/a");
  expect(documents).toEqual([]);
  expect(problems[0]).toMatchObject({ severity: "error", resource: "AuthorizationPolicy/default/a" });
  expect(problems[0]?.message).toContain("field 99 of istio.security.v1beta1.AuthorizationPolicy");
});

interface RouteCases {
  readonly services: readonly {
    readonly host: string;
    readonly ports?: readonly number[];
    readonly subsets?: readonly string[];
  }[];
  readonly groups: readonly {
    readonly id: string;
    readonly resources: readonly Parameters<typeof onTheWire>[0][];
    readonly cases: readonly {
      readonly request: {
        readonly method: string;
        readonly host: string;
        readonly path: string;
        readonly headers?: Record<string, string>;
      };
    }[];
  }[];
}

it.skipIf(missing !== undefined)("lead every recorded request as the YAML does", { timeout: 60_000 }, () => {
  const { groups } = readCaseFile<RouteCases>("istio-routes.json");
  const differences: unknown[] = [];
  let asked = 0;
  for (const { id, resources, cases } of groups) {
    const byYaml = snapshotOf(resources.flatMap((value) => documentFromValue(value).documents));
    const byWire = snapshotOf(
      resources.flatMap((value) => {
        const { kind, bytes } = onTheWire(value);
        return apiResourceType(kind).decode(bytes, "").documents;
      }),
    );
    for (const { request } of cases) {
      asked += 1;
      const { host, path, ...rest } = request;
      const ask = { ...rest, url: `http://${host}${path}` };
      const [yaml, wire] = [explain(byYaml, ask), explain(byWire, ask)].map(({ snapshot: _, ...answer }) =>
        Object.entries(answer),
      ); // zeros that nobody sends are in its revision
      const other =
        wire?.filter(([, value], index) => JSON.stringify(value) !== JSON.stringify(yaml?.[index]?.[1])) ?? [];
      if (other.length > 0) differences.push({ id, request, wire: Object.fromEntries(other) });
    }
  }
  expect(differences.slice(0, 2)).toEqual([]);
  expect([asked, differences.length]).toEqual([4_368, 0]);
});

function snapshotOf(documents: readonly Document[]) {
  const client = { namespace: "shop", service: "app", labels: { app: "app" } };
  return compile({ resources: documents.map(resourceOf), workloads: [], client, problems: [], version: 1 }, undefined);
}

interface Content {
  readonly annotations: unknown;
  readonly spec: unknown;
}

function contentOf(document: Document): Content {
  const { metadata, spec } = JSON.parse(JSON.stringify(resourceOf(document)));
  return { annotations: metadata.annotations, spec };
}

/** istiod has some of its own besides. */
function withoutProviders(config: unknown): Record<string, unknown> {
  const { extensionProviders: _, defaultConfig: __, ...rest } = config as Record<string, unknown>;
  return rest;
}
