import { lease } from "@inmesh/core/testing";
import { expect, it } from "vitest";
import { leaseOf, toServiceInstance } from "../registrar/instance.js";
import type { HealthEntry } from "./health-entry.js";
import { ServiceInstances } from "./service-instances.js";
import { ServiceMembers } from "./service-members.js";

const HOME = { namespace: "shop" };

function entry(node: string, status: string): HealthEntry {
  const { Name, ...rest } = toServiceInstance(lease("a"), HOME);
  return {
    Node: { Node: node, Address: "10.0.0.1" },
    Service: { ...rest, Service: Name },
    Checks: [{ Status: status }],
  };
}

it.each([
  ["the older one first", [entry("n1", "critical"), entry("n2", "passing")]],
  ["the newer one first", [entry("n2", "passing"), entry("n1", "critical")]],
])("shows a process that met two agents once, as the one that it still renews: %s", (_, entries) => {
  const instances = new ServiceInstances((each) => {
    const read = leaseOf(each, HOME);
    return read && { lease: read };
  });
  instances.update(entries);
  const member = { name: "reviews", labels: () => ({}) };
  const shown = new ServiceMembers({ namespace: "shop", service: "reviews" }).show(
    [{ member, instances: instances.all }] as never,
    {},
  );
  expect(shown.leases).toEqual([expect.not.objectContaining({ healthy: false })]);
});
