import { writeFileSync } from "node:fs";
import { seededRandom } from "@inmesh/core";
import { parseDocuments, validateDocument } from "@inmesh/model";
import { it } from "vitest";
import { RandomPolicy } from "./random-policy.js";
it("gen", () => {
  const random = seededRandom(Number(process.env["SEED"] ?? 77));
  const groups: unknown[] = [];
  const services = [
    { host: "reviews.shop.svc.cluster.local", ports: [80], subsets: [] as string[] },
    { host: "stock.shop.svc.cluster.local", ports: [80], subsets: [] as string[] },
  ];
  for (let g = 0; groups.length < Number(process.env["GROUPS"] ?? 60); g++) {
    const policy = new RandomPolicy(random);
    const docs = JSON.parse(JSON.stringify(policy.documents())) as { kind: string; metadata: {creationTimestamp?: string} }[];
    const kept = docs.filter((d) => d.kind !== "HTTPRoute").filter((d) => {
      const { documents } = parseDocuments(JSON.stringify(d), { file: "x" });
      return documents.every((each) => validateDocument(each).resource !== undefined);
    });
    kept.forEach((d, i) => { d.metadata.creationTimestamp = `2026-01-0${i + 1}T00:00:00Z`; });
    const requests = Array.from({ length: 14 }, () => ({ ...policy.request(), port: 80 }))
      .filter(({ headers }) => headers["x-fail"] === undefined);
    groups.push({ id: `g${g}`, services: services.map((s) => ({ ...s, subsets: ["v1", "v2"] })), resources: kept, requests });
  }
  writeFileSync("/tmp/orc2/in.json", JSON.stringify({ groups }));
});
