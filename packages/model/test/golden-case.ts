/**
 * One golden case: documents, whose view of them is compiled, and requests that are asked of it. All of it is YAML:
 *
 *     # What is shown, and what Istio says of it.
 *     # client: {namespace: shop, service: web, labels: {app: web}}    the default
 *     # ask: GET http://reviews/path x-user: beta, x-other: b          any number of them
 *     apiVersion: …
 */

import { parse } from "yaml";
import { analyze } from "../src/analyze/analyze.js";
import { compile } from "../src/compile/compile.js";
import { parseDocuments } from "../src/document/parse-documents.js";
import type { Problem } from "../src/problem.js";
import type { MatchRequest } from "../src/snapshot/route.js";
import type { ClientContext, Snapshot } from "../src/snapshot/snapshot.js";
import { notHonoured } from "../src/validate/not-honoured.js";
import { validateDocument } from "../src/validate/validate-document.js";

export interface Asked {
  readonly text: string;
  readonly host: string;
  readonly port: number;
  readonly request: MatchRequest;
}

export interface GoldenCase {
  readonly snapshot: Snapshot;
  readonly asked: readonly Asked[];
  /** As `inmesh analyze` tells them. */
  readonly problems: readonly Problem[];
}

const CLIENT: ClientContext = { namespace: "shop", service: "web", labels: { app: "web" } };

export function readGoldenCase(text: string, file: string): GoldenCase {
  const parsed = parseDocuments(text, { file, namespace: "shop" });
  const verdicts = parsed.documents.map(validateDocument);
  const resources = verdicts.flatMap(({ resource }) => resource ?? []);
  const [written] = instructions(text, "client");
  const client = written === undefined ? CLIENT : (parse(written) as ClientContext);
  return {
    snapshot: compile({ resources, workloads: [], client, problems: [], version: 1 }),
    asked: instructions(text, "ask").map(askedRequest),
    problems: [
      ...parsed.problems,
      ...verdicts.flatMap(({ problems }) => problems),
      ...resources.flatMap((resource) => notHonoured(resource)),
      ...analyze(resources, [], { refused: verdicts.flatMap(({ refused }) => refused ?? []) }),
    ],
  };
}

function instructions(text: string, name: string): readonly string[] {
  const lines = text.split("\n").filter((line) => line.startsWith(`# ${name}: `));
  return lines.map((line) => line.slice(name.length + 4));
}

/** `GET http://reviews:8080/path?query x-user: beta, x-other: b`. */
function askedRequest(text: string): Asked {
  const [method = "", address = "", ...rest] = text.split(" ");
  const [, authority = "", path = ""] = /^http:\/\/([^/]*)(\/.*)$/.exec(address) ?? [];
  const [host = "", port = "80"] = authority.split(":");
  const pairs = rest.join(" ").split(", ").filter(Boolean);
  const headers = new Map(pairs.map((pair) => pair.split(": ") as [string, string]));
  const request: MatchRequest = { method, path, authority, scheme: "http", header: (name) => headers.get(name) };
  return { text, host, port: Number(port), request };
}
