import { parseSpiffeId } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { connectName, isConnectId } from "./connect-name.js";

const DOMAIN = "4f25d264-9df5-d167-be81-1a77de6153d4.consul";

function named(path: string): string | undefined {
  const peer = parseSpiffeId(`spiffe://${DOMAIN}${path}`);
  return peer && connectName(peer, "mesh.example", "shop")?.id;
}

describe("names of Consul's CA", () => {
  it.each([
    ["/ns/default/dc/dc1/svc/web", "spiffe://mesh.example/ns/shop/sa/web"],
    ["/ns/default/dc/other/svc/web", "spiffe://mesh.example/ns/shop/sa/web"],
    ["/ns/default/dc/dc1/svc/web--pay", "spiffe://mesh.example/ns/pay/sa/web"],
    ["/ns/default/dc/dc1/svc/a--b--shop", "spiffe://mesh.example/ns/shop/sa/a--b"],
  ])("%s is %s", (path, id) => expect(named(path)).toBe(id));

  it.each([
    "/ns/team/dc/dc1/svc/web", // of another namespace of Consul's: not the service of this one
    "/ns/default/dc/dc1/svc/web/more",
    "/ns/default/dc/dc1/svc/Web",
    "/ns/default/dc/dc1/svc/a--B",
    "/ns/default/sa/web",
    "/agent/client/dc/dc1/id/web",
    "",
  ])("%s is nobody's", (path) => expect(named(path)).toBeUndefined());

  it("keeps the name in the certificate", () => {
    const id = `spiffe://${DOMAIN}/ns/default/dc/dc1/svc/web`;
    expect(connectName(parseSpiffeId(id)!, "mesh.example", "shop")).toMatchObject({
      ...{ presented: id, principal: "mesh.example/ns/shop/sa/web", trustDomain: "mesh.example" },
    });
    expect([isConnectId(id), isConnectId("spiffe://a/ns/b/sa/c"), isConnectId("")]).toEqual([true, false, false]);
  });
});
