/**
 * The schemas as JSON Schema, for editors: field names, types and closed lists of values while a document is typed. What
 * it accepts, validation may still refuse, because cross-field rules are not among what JSON Schema says.
 */

import * as z from "zod/mini";
import { apiVersionsOf } from "../document/api-group.js";
import { KINDS, type Kind } from "../resource.js";
import { duration, durationOrZero } from "./field.js";
import { SCHEMAS } from "./schema.js";

export type JsonSchema = Readonly<Record<string, unknown>>;

/** What yaml-language-server and every JSON Schema library read. */
const DRAFT = "http://json-schema.org/draft-07/schema#";
/** Go's durations, which Istio's YAML has. */
const DURATION = {
  type: "string",
  pattern: "^[+-]?(0|(([0-9]+\\.?[0-9]*|\\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$",
  description: "A duration, such as 250ms, 1.5s, 2m or 1h30m.",
};

const METADATA = {
  type: "object",
  required: ["name"],
  properties: {
    name: { type: "string", minLength: 1 },
    namespace: { type: "string", minLength: 1 },
    labels: { type: "object", additionalProperties: { type: "string" } },
    annotations: { type: "object", additionalProperties: { type: "string" } },
  },
};

/** Of a policy file: each document by its apiVersion and kind; kinds that inmesh does not read are not judged. */
export function policyJsonSchema(): JsonSchema {
  const kinds = KINDS.filter((kind) => kind !== "MeshConfig");
  return {
    $schema: DRAFT,
    title: "Policy of inmesh: Istio, Gateway API and inmesh.dev documents",
    type: "object",
    required: ["apiVersion", "kind"],
    properties: { apiVersion: { type: "string" }, kind: { type: "string" } },
    allOf: kinds.map((kind) => ({ if: isKind(kind), then: documentOf(kind) })),
  };
}

/** Of `mesh.yaml`, which is a MeshConfig without a head. */
export function meshConfigJsonSchema(): JsonSchema {
  const schema = schemaOf("MeshConfig");
  const head = { apiVersion: { type: "string" }, kind: { const: "MeshConfig" }, metadata: { type: "object" } };
  const properties = { ...head, ...(schema["properties"] as object) };
  return { $schema: DRAFT, title: "MeshConfig of inmesh (mesh.yaml)", ...schema, properties };
}

function isKind(kind: Kind): JsonSchema {
  const properties = { apiVersion: { enum: apiVersionsOf(kind) }, kind: { const: kind } };
  return { required: ["apiVersion", "kind"], properties };
}

function documentOf(kind: Kind): JsonSchema {
  const head = { apiVersion: true, kind: true, metadata: METADATA, status: true };
  return {
    required: ["metadata"],
    properties: { ...head, spec: schemaOf(kind) },
    additionalProperties: false,
  };
}

function schemaOf(kind: Kind): JsonSchema {
  const { $schema: _, ...schema } = z.toJSONSchema(SCHEMAS[kind], {
    target: "draft-7",
    io: "input",
    unrepresentable: "any",
    override({ zodSchema, jsonSchema }) {
      if (zodSchema === duration || zodSchema === durationOrZero) Object.assign(jsonSchema, DURATION);
    },
  });
  return schema;
}
