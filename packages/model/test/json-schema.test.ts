import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { meshConfigJsonSchema, policyJsonSchema } from "../src/kind/json-schema.js";
import { KINDS } from "../src/resource.js";
import { readCases } from "./cases.js";

const FOLDER = new URL("../schema/", import.meta.url);
const GENERATED =
  "Generated from packages/model/src/kind by INMESH_UPDATE_DOCS=1 npx vitest run --root packages/model json-schema";

const ajv = new Ajv({ strict: false, allErrors: true, verbose: true });
const policy = ajv.compile(policyJsonSchema());
const meshConfig = ajv.compile(meshConfigJsonSchema());

const virtualService = (spec: string) =>
  parse(`{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: vs}, spec: ${spec}}`);

describe("the files that are shipped", () => {
  it.each([
    ["policy.json", policyJsonSchema()],
    ["mesh-config.json", meshConfigJsonSchema()],
  ])("%s says what the schemas say", (name, schema) => {
    const file = fileURLToPath(new URL(name, FOLDER));
    const text = `${JSON.stringify({ $comment: GENERATED, ...schema }, null, 1)}\n`;
    if (process.env["INMESH_UPDATE_DOCS"] === "1") {
      mkdirSync(FOLDER, { recursive: true });
      writeFileSync(file, text);
    }
    expect(readFileSync(file, "utf8")).toBe(text);
  });
});

describe("in an editor", () => {
  it.each([
    ["{hosts: [reviews], http: [{route: [{destination: {host: reviews}}], timeout: 1.5s}]}", []],
    ["{hots: [reviews]}", ["/spec must NOT have additional properties"]],
    ["{hosts: reviews}", ["/spec/hosts must be array"]],
    ["{http: [{timeout: 3}]}", ["/spec/http/0/timeout must be string"]],
    ["{http: [{timeout: 3 seconds}]}", [expect.stringContaining("/spec/http/0/timeout must match pattern")]],
    ["{http: [{route: [{weight: ten}]}]}", ["/spec/http/0/route/0/weight must be integer"]],
  ])("%s", (spec, wanted) => {
    policy(virtualService(spec));
    const said = (policy.errors ?? []).filter(({ keyword }) => keyword !== "if");
    expect(said.map(({ instancePath, message }) => `${instancePath} ${message}`)).toEqual(wanted);
  });

  it("a document of another kind is nobody's business here", () => {
    expect(policy({ apiVersion: "apps/v1", kind: "Deployment", spec: { replicas: 1 } })).toBe(true);
  });

  it("mesh.yaml has fields of its own", () => {
    expect(meshConfig({ rootNamespace: "mesh", outboundTrafficPolicy: { mode: "REGISTRY_ONLY" } })).toBe(true);
    expect(meshConfig({ outboundTrafficPolicy: { mode: "NEVER" } })).toBe(false);
  });

  const found = readCases<{ id: string; valid: boolean; doc: { kind: string } }>("istio-validate.json");
  it.runIf(found !== undefined)(
    "of what Istio takes, only quoted numbers, explicit nulls and numbers of enum values are marked",
    () => {
      const ours: readonly string[] = KINDS;
      const taken = found?.cases.filter(({ valid, doc }) => valid && ours.includes(doc.kind)) ?? [];
      expect(taken.length).toBeGreaterThan(300);
      const marked = taken.flatMap(({ id, doc }) => {
        policy(doc);
        const errors = (policy.errors ?? []).filter(({ keyword }) => keyword !== "if");
        return errors.map(({ data, schema }) => ({ id, data, schema }));
      });
      const numeric = (schema: unknown) => schema === "integer" || schema === "number";
      const odd = marked.filter(({ data, schema }) => {
        if (data === null || (numeric(schema) && !Number.isNaN(Number(data)))) return false;
        const ofEnum = marked.some((each) => each.data === data && Array.isArray(each.schema));
        return !(typeof data === "number" && ofEnum);
      });
      expect(odd).toEqual([]);
    },
  );
});
