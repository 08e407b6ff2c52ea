import { describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { runCli, TemporaryFolder } from "../testing/run-cli.js";

const ROUTER = `Kind = "service-router"
Name = "web"
Routes = [{
  Match { HTTP { PathPrefix = "/api" } }
  Destination { Service = "api", IdleTimeout = "3s" }
}]
`;
const CUSTOM_RESOURCES = `apiVersion: consul.hashicorp.com/v1alpha1
kind: ServiceResolver
metadata: { name: api }
spec:
  defaultSubset: canary
  subsets: { canary: { filter: '"canary" in Service.Tags' } }
---
apiVersion: consul.hashicorp.com/v1alpha1
kind: ServiceIntentions
metadata: { name: any-name }
spec:
  destination: { name: api }
  sources: [{ name: web, action: deny }]
`;

describe("inmesh convert", () => {
  it("reads HCL, JSON and resources of Kubernetes together, and says above each resource what differs", async () => {
    using folder = new TemporaryFolder();
    folder.write("consul/web.hcl", ROUTER);
    folder.write("consul/api.yaml", CUSTOM_RESOURCES);
    folder.write("consul/defaults.json", '[{"Kind":"proxy-defaults","Name":"global","Config":{"protocol":"http"}}]');
    folder.write("consul/README.txt", "no entry");
    const { code, stdout, stderr } = await runCli(["convert", "consul", "-n", "shop"], { cwd: folder.path });
    expect(code).toBe(0);
    const documents = parseAllDocuments(stdout).map((document) => document.toJS());
    expect(documents.map(({ kind, metadata }) => `${kind}/${metadata.namespace}/${metadata.name}`)).toEqual([
      ...["VirtualService/shop/consul-api", "VirtualService/shop/consul-web"],
      ...["DestinationRule/shop/consul-api", "AuthorizationPolicy/shop/consul-api"],
    ]);
    expect(documents[1].spec.http[0].route[0].destination).toEqual({
      host: "api.shop.svc.cluster.local",
      subset: "canary",
    });
    const web = stdout.split("---\n").find((text) => text.includes("name: consul-web"));
    expect(web).toMatch(
      /^# From consul:service-router\/web\.\n# Routes\[0\]\.Destination\.IdleTimeout is not acted on\./,
    );
    expect(stdout).toContain("# Labels inmesh.dev/consul-… are set on instances when they are read from Consul");
    expect(stderr).toContain("4 resources: 1 warning.");
  });

  it("reads standard input, whichever of the forms it is, and prints a List for -o json", async () => {
    for (const stdin of [
      ROUTER,
      '{"Kind":"service-router","Name":"web","Routes":[{"Destination":{"Service":"api"}}]}',
    ]) {
      const { code, stdout } = await runCli(["convert", "-", "-o", "json"], { stdin });
      expect([code, JSON.parse(stdout)]).toMatchObject([0, { kind: "List", items: [{ kind: "VirtualService" }] }]);
    }
    const old = '{"SourceName":"web","DestinationName":"api","Action":"deny"}';
    expect(parse((await runCli(["convert", "-"], { stdin: old })).stdout)).toMatchObject({
      kind: "AuthorizationPolicy",
    });
  });

  it("names the line of a file that cannot be read, and the entry that cannot be understood, and converts the rest", async () => {
    using folder = new TemporaryFolder();
    folder.write("a.hcl", 'Kind = "service-router"\nName = \n');
    folder.write("b.json", '{"Kind":"service-resolver","Name":"b","ConnectTimeout":"soon"}');
    folder.write("c.json", '{"Kind":"service-resolver","Name":"c","ConnectTimeout":"3s"}');
    const { code, stdout, stderr } = await runCli(["convert", "a.hcl", "b.json", "c.json"], { cwd: folder.path });
    expect([code, parse(stdout).metadata.name]).toEqual([1, "consul-c"]);
    expect(stderr).toMatch(/IM0730 error a\.hcl:3 found the end, expected a value\. The file is not read/);
    expect(stderr).toContain('IM0730 error consul:service-resolver/b ConnectTimeout is "soon", expected a duration');
  });
});
