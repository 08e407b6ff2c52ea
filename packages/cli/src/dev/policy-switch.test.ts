import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile, parseDocuments, validateDocument } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { deleteDocument, faultDocument, modeDocument, writeDocument } from "./policy-switch.js";

const parse = (text: string, file = "user.yaml") => parseDocuments(text, { file, namespace: "shop" }).documents;

const CANARY = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: shop, creationTimestamp: "2024-01-01T00:00:00Z" }
spec:
  hosts: [details, reviews]
  http:
    - match: [{ uri: { prefix: /old } }]
      redirect: { uri: /new }
    - fault: { delay: { fixedDelay: 5ms, percentage: { value: 1 } } }
      route: [{ destination: { host: reviews }, weight: 100 }]
      timeout: 2s
`;

const FAULT = { service: "reviews", namespace: "shop", percent: 30, status: 503 };

/** What a caller in the user's mesh runs, with our document beside the user's. */
function routesWith(user: string, document: object) {
  const documents = [...parse(user), ...parse(JSON.stringify(document), "inmesh-dev-fault.json")];
  const validated = documents.map((each) => validateDocument(each));
  const errors = validated.flatMap(({ problems }) => problems.filter(({ severity }) => severity === "error"));
  const workloads = [
    {
      name: "r",
      namespace: "shop",
      service: "reviews",
      address: "127.0.0.1",
      ports: [],
      labels: {},
      weight: 1,
      healthy: true,
    },
  ];
  const client = { namespace: "shop", service: "web", labels: {} };
  const resources = validated.flatMap(({ resource }) => resource ?? []);
  const { routes } = compile({ resources, workloads, client, problems: [], version: 1 });
  return { errors, host: routes.lookup("reviews", 80) };
}

describe("faultDocument", () => {
  it("does what the rules in force do, and disturbs those that send something", () => {
    const document = faultDocument(FAULT, parse(CANARY));
    expect(document).toMatchObject({
      metadata: { name: "inmesh-dev-fault", namespace: "shop", creationTimestamp: "1970-01-01T00:00:00Z" },
      spec: {
        hosts: ["reviews"],
        http: [
          { redirect: { uri: "/new" } },
          {
            fault: { delay: { fixedDelay: "5ms" }, abort: { httpStatus: 503, percentage: { value: 30 } } },
            route: [{ destination: { host: "reviews" }, weight: 100 }],
            timeout: "2s",
          },
        ],
      },
    });
    expect(routesWith(CANARY, document).errors).toEqual([]);
  });

  it("rules while it is there, although another one names the host", () => {
    const { host } = routesWith(CANARY, faultDocument(FAULT, parse(CANARY)));
    expect(host?.resource?.name).toBe("inmesh-dev-fault");
    expect(host?.routes.map(({ fault }) => fault?.abortRatio)).toEqual([undefined, 0.3]);
  });

  it("routes to the service itself where no rule is in force", () => {
    const document = faultDocument(FAULT, []);
    expect(document["spec"]).toMatchObject({
      hosts: ["reviews"],
      http: [{ route: [{ destination: { host: "reviews" } }] }],
    });
    expect(routesWith("", document).errors).toEqual([]);
  });

  it("leaves rules of gateways and of other hosts alone", () => {
    const gateway = CANARY.replace("spec:", "spec:\n  gateways: [edge]");
    expect(faultDocument(FAULT, parse(gateway))["spec"]).toMatchObject({ http: [{ route: [{}] }] });
  });
});

describe("modeDocument", () => {
  it("holds for the whole mesh, in the root namespace that MeshConfig names", () => {
    expect(modeDocument("off", [])).toMatchObject({ metadata: { namespace: "istio-system" }, spec: { mode: "off" } });
    const config = parse("rootNamespace: admin\n", "mesh.yaml");
    expect(modeDocument("off", config)).toMatchObject({ metadata: { namespace: "admin" } });
    expect(routesWith("", modeDocument("off", [])).errors).toEqual([]);
  });
});

describe("writeDocument", () => {
  it("writes a whole private file and takes it away again", () => {
    const folder = mkdtempSync(join(tmpdir(), "inmesh-switch-"));
    try {
      writeDocument(folder, "x.json", { a: 1 });
      expect(readdirSync(folder)).toEqual(["x.json"]);
      expect(JSON.parse(readFileSync(join(folder, "x.json"), "utf8"))).toEqual({ a: 1 });
      expect(statSync(join(folder, "x.json")).mode & 0o777).toBe(0o600);
      deleteDocument(folder, "x.json");
      deleteDocument(folder, "x.json");
      expect(readdirSync(folder)).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
