/**
 * One resource of Istio's, from the bytes of the stream to the document that its YAML would have been. Nothing is judged here:
 * whether it is in force is the pipeline's say, as with a document of any other registry.
 */

import { type Document, documentFromValue, type Problem } from "@inmesh/model";
import type { ResourceType } from "../client/watch.js";
import { ISTIO } from "../generated/istio.js";
import { decodeMessage, type Message } from "../proto/decode.js";
import { Schema } from "../proto/schema.js";
import { LENGTH, WireError, WireReader } from "../proto/wire-reader.js";
import { type ApiKind, MESH_CONFIG } from "./kinds.js";
import { synthesizedService } from "./synthetic-service.js";

/** What a resource says here: one document, or why it is none. */
export interface ApiResource {
  readonly documents: readonly Document[];
  readonly problems: readonly Problem[];
  /** Content of all of it: two with the same mean the same, whatever their bytes. */
  readonly hash: string;
}

const WRAPPER = "istio.mcp.v1alpha1.Resource";

/** Its only resource has no name of its own. */
const MESH_CONFIG_NAME = "mesh";

const SCHEMA = new Schema(ISTIO);

/** @param kind of `API_KINDS` */
export function apiResourceType(kind: ApiKind): ResourceType<ApiResource> {
  const bare = kind === MESH_CONFIG;
  return {
    url: kind.url,
    wholeState: true,
    nameOf: (bytes) => (bare ? MESH_CONFIG_NAME : wrappedName(bytes)),
    decode: (bytes, name) => (bare ? meshConfig(kind, bytes) : whatIsRead(kind, bytes, name)),
    same: (before, after) => before.hash === after.hash,
  };
}

function meshConfig({ kind, apiVersion, message }: ApiKind, bytes: Uint8Array): ApiResource {
  return taken({ apiVersion, kind, ...decodeMessage(SCHEMA, message, bytes) });
}

/**
 * What cannot be read, or has fields of a newer Istio, is a problem and no document: whoever wrote it meant something, and a
 * policy of security that is only half understood would open a door.
 */
function whatIsRead(kind: ApiKind, bytes: Uint8Array, name: string): ApiResource {
  try {
    return wrapped(kind, bytes);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    const message = `${error.message}. The document is refused. Use a version of inmesh that knows it, or leave the field out.`;
    const problem: Problem = {
      ...{ code: "IM0002", severity: "error", message, resource: `${kind.kind}/${name}` },
      ...{ path: "", file: "", line: 0, column: 0 },
    };
    return { documents: [], problems: [problem], hash: `refused ${message}` };
  }
}

function wrapped(kind: ApiKind, bytes: Uint8Array): ApiResource {
  const onUnknown = (message: string, field: number): void => {
    if (message.startsWith("istio.mcp.")) return; // of the envelope
    throw new WireError(`field ${field} of ${message} is not known here`);
  };
  const { metadata = {}, body } = decodeMessage(SCHEMA, WRAPPER, bytes, { onUnknown }) as {
    metadata?: Metadata;
    body?: Message;
  };
  const { name = "", createTime, labels, annotations } = metadata;
  if (body?.["@type"] !== kind.message) {
    const found = body === undefined ? "nothing" : (body["@type"] ?? body["type"]);
    throw new WireError(`${name} holds ${String(found)}, expected ${kind.message}`);
  }
  const { "@type": _, ...spec } = body;
  const slash = name.indexOf("/");
  const document = {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    metadata: {
      name: name.slice(slash + 1),
      ...(slash > 0 && { namespace: name.slice(0, slash) }),
      ...(labels && { labels }),
      ...(annotations && { annotations }),
      // "Older wins" looks at whole seconds, as Kubernetes has them.
      ...(createTime && { creationTimestamp: createTime.replace(/\.\d+Z$/, "Z") }),
    },
    spec,
  };
  return taken(kind.kind === "ServiceEntry" ? (synthesizedService(document) ?? document) : document);
}

interface Metadata {
  /** `namespace/name`. */
  readonly name?: string;
  /** RFC 3339. */
  readonly createTime?: string;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
}

function taken(value: unknown): ApiResource {
  const { documents, problems } = documentFromValue(value);
  return { documents, problems, hash: documents.map(({ key, hash }) => `${key} ${hash}`).join() };
}

/** Field 1 of field 1, and nothing else of it. */
function wrappedName(bytes: Uint8Array): string {
  const metadata = part(new WireReader(bytes));
  return metadata === undefined ? "" : new TextDecoder().decode(part(new WireReader(metadata)) ?? new Uint8Array());
}

function part(reader: WireReader): Uint8Array | undefined {
  let found: Uint8Array | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag >>> 3 === 1 && (tag & 7) === LENGTH) found = reader.part();
    else reader.skip(tag & 7);
  }
  return found;
}
