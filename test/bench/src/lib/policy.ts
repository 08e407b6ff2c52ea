/** Policy and workloads of any size, through the same parser, validator and compiler that a process uses. */

import {
  type ClientContext,
  compile,
  type KnownService,
  parseDocuments,
  type Resource,
  type Snapshot,
  validateDocument,
  type Workload,
} from "@inmesh/model";

export const CLIENT: ClientContext = { namespace: "shop", service: "web", labels: { app: "web" } };

export function resources(yaml: string): readonly Resource[] {
  const { documents, problems } = parseDocuments(yaml, { file: "bench.yaml", namespace: "shop" });
  const parsed = documents.map((document) => validateDocument(document));
  const all = [...problems, ...parsed.flatMap((each) => each.problems)].filter(({ severity }) => severity === "error");
  if (all.length > 0) throw new Error(`the bench's own policy is not valid: ${all[0]?.message}`);
  return parsed.flatMap(({ resource }) => resource ?? []);
}

/** `count` instances of one service; each on its own port. */
export function workloads(
  service: string,
  count: number,
  { firstPort = 20_000, address = "127.0.0.1" } = {},
): readonly Workload[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `${service}-${index}`,
    namespace: "shop",
    service,
    address,
    ports: [{ number: firstPort + index, name: "http" }],
    labels: { app: service, version: index % 2 === 0 ? "v1" : "v2" },
    weight: 1,
    healthy: true,
  }));
}

/** @param services of a registry that tells instances only of services in use. @default all are told */
export function snapshot(
  policy: readonly Resource[],
  known: readonly Workload[],
  previous?: Snapshot,
  services?: readonly KnownService[],
): Snapshot {
  const input = { resources: policy, workloads: known, client: CLIENT, problems: [] };
  const version = (previous?.version ?? 0) + 1;
  return compile({ ...input, version, ...(services && { services }) }, previous);
}

/** A VirtualService with `count` prefix rules, none a prefix of another. */
export function manyRoutes(count: number): string {
  const rules = Array.from(
    { length: count },
    (_, index) =>
      `    - match: [{ uri: { prefix: /api/v1/resource${index}/ } }]\n      route: [{ destination: { host: reviews } }]`,
  );
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: shop }
spec:
  hosts: [reviews]
  http:
${rules.join("\n")}
`;
}
