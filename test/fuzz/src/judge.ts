/** What must hold for any text at all, from the parser to an explained request. */

import { explain } from "@inmesh/core";
import { analyze, compile, type Problem, parseDocuments, type Resource, validateDocument } from "@inmesh/model";

const FILE = "fuzz.yaml";
const CLIENT = { namespace: "shop", service: "web", labels: { app: "web" } };
const REQUESTS = ["http://reviews/api/1?page=2", "http://payments.test/old", "http://a.reviews.test:8080/teapot/1"];
/** Own keys of the prototypes that everything shares, before anything was read. */
const SHARED = [Object.prototype, Array.prototype, Function.prototype, String.prototype];
const KEYS = SHARED.map((prototype) => Reflect.ownKeys(prototype).length);

export interface Judged {
  /** What should not be. */
  readonly faults: readonly string[];
  /** Valid documents in it. */
  readonly valid: number;
  readonly problems: number;
}

export function judge(text: string): Judged {
  const faults: string[] = [];
  const valid: Resource[] = [];
  const problems: Problem[] = [];
  try {
    const parsed = parseDocuments(text, { file: FILE, namespace: "shop" });
    problems.push(...parsed.problems);
    for (const document of parsed.documents) {
      const validated = validateDocument(document);
      problems.push(...validated.problems);
      if (validated.resource !== undefined) valid.push(validated.resource);
      else if (validated.problems.every(({ severity }) => severity !== "error"))
        faults.push(`${document.key} is refused without a reason`);
    }
    problems.push(...analyze(valid, [], { passedOver: parsed.passedOver }));
    useAll(valid);
  } catch (error) {
    faults.push(error instanceof Error ? `${error.stack}` : `thrown: ${String(error)}`);
  }
  faults.push(...problems.flatMap((problem) => faultOf(problem) ?? []));
  if (SHARED.some((prototype, index) => Reflect.ownKeys(prototype).length !== KEYS[index]) || "polluted" in {})
    faults.push("a prototype was changed");
  return { faults, valid: valid.length, problems: problems.length };
}

/** Whatever is valid can be compiled, listed and asked about. */
function useAll(resources: readonly Resource[]): void {
  const snapshot = compile({ resources, workloads: [], client: CLIENT, problems: [], version: 1 });
  for (const host of snapshot.routes.all()) {
    for (const route of host.routes) {
      if (route.action.kind !== "forward") continue;
      for (const { cluster: name } of route.action.destinations) {
        const cluster = snapshot.cluster(name);
        if (cluster !== undefined) snapshot.endpoints(cluster);
      }
    }
  }
  for (const url of REQUESTS) explain(snapshot, { url, method: "GET", headers: { "x-user": "ann" } });
}

function faultOf({ file, line, code, message }: Problem): string | undefined {
  if (file !== FILE || !(line >= 1)) return `${code} says no place (${file}:${line}): ${message}`;
  return message.trim() === "" ? `${code} at line ${line} says nothing` : undefined;
}
