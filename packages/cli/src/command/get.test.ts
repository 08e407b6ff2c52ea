import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { runCli, TemporaryFolder } from "../testing/run-cli.js";

const POLICY = `apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { ports: [{ name: http, port: 80 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web, namespace: shop }
spec:
  parentRefs:
    - { group: "", kind: Service, name: web }
    - { group: "", kind: Service, name: wbe }
    - { name: edge }
  rules: [{ backendRefs: [{ name: ghost, port: 80 }] }]
status:
  parents: [{ parentRef: { name: edge }, controllerName: other.example/edge, conditions: [] }]
`;

describe("inmesh get httproute", () => {
  it("shows the conditions of each parent, beside those of other controllers, as YAML and JSON", async () => {
    using folder = new TemporaryFolder();
    folder.write("mesh/web.yaml", POLICY);
    const cwd = folder.path;
    const yaml = await runCli(["get", "httproute/web", "-o", "yaml"], { cwd });
    expect(yaml.code).toBe(0);
    expect(yaml.stdout).not.toMatch(/[&*]a\d/);
    const shown = parse(yaml.stdout);
    expect((await runCli(["get", "httproute/web", "-o", "json"], { cwd })).json()).toEqual(shown);
    const found = shown.status.parents.map(
      ({ parentRef, controllerName, conditions }: (typeof shown.status.parents)[number]) => [
        parentRef.name,
        controllerName,
        ...conditions.map(({ type, status, reason }: Record<string, string>) => `${type} ${status} ${reason}`),
      ],
    );
    expect(found).toEqual([
      ["edge", "other.example/edge"],
      ["web", "inmesh.dev/mesh", "Accepted True Accepted", "ResolvedRefs False BackendNotFound"],
      ["wbe", "inmesh.dev/mesh", "Accepted False NoMatchingParent", "ResolvedRefs False BackendNotFound"],
    ]);
    expect(shown.status.parents[1].conditions[1].message).toBe(
      "spec.rules[0]: ghost.shop.svc.cluster.local is not there",
    );
  });

  it("shows those of a GRPCRoute, too", async () => {
    using folder = new TemporaryFolder();
    folder.write("mesh/web.yaml", POLICY.replace("kind: HTTPRoute", "kind: GRPCRoute"));
    const { stdout } = await runCli(["get", "grpcroute/web", "-o", "yaml"], { cwd: folder.path });
    const { parents } = parse(stdout).status;
    expect(parents.map((each: (typeof parents)[number]) => each.conditions[0]?.reason)).toEqual([
      undefined,
      "Accepted",
      "NoMatchingParent",
    ]);
    const applied = await runCli(["apply", "-f", "-"], { cwd: folder.path, stdin: stdout.replace("ghost", "web") });
    expect(applied.stdout).toContain("GRPCRoute/shop/web configured");
    expect(folder.read("mesh/web.yaml")).not.toContain("inmesh.dev/mesh");
  });

  it("prints what apply takes, and apply writes no conditions", async () => {
    using folder = new TemporaryFolder();
    folder.write("mesh/web.yaml", POLICY);
    const cwd = folder.path;
    const { stdout } = await runCli(["get", "httproute/web", "-o", "yaml"], { cwd });
    const same = await runCli(["apply", "-f", "-"], { cwd, stdin: stdout });
    expect(same.stdout).toContain("HTTPRoute/shop/web unchanged");
    const changed = await runCli(["apply", "-f", "-"], { cwd, stdin: stdout.replace("name: ghost", "name: web") });
    expect(changed.stdout).toContain("HTTPRoute/shop/web configured");
    expect(folder.read("mesh/web.yaml")).not.toContain("inmesh.dev/mesh");
    expect((await runCli(["get", "httproute/web", "-o", "yaml"], { cwd })).stdout).toContain("every backend is there");
  });
});
