import type { Lease } from "@inmesh/core";
import { describe, expect, it } from "vitest";
import { leaseOf } from "./lease-match.js";

const child = (pid: number, service = "web") => ({ pid, spec: { service } });
const lease = (pid: number, port = 80, service = "web") =>
  ({
    name: `n.${service}.${pid}`,
    pid,
    service,
    ports: port === 0 ? [] : [{ number: port, name: "http" }],
  }) as unknown as Lease;

const alone = () => undefined;

describe("leaseOf", () => {
  it("finds the lease of the child itself", () => {
    const leases = [lease(2), lease(1), lease(1, 80, "other")];
    expect(leaseOf(child(1), [child(1), child(2)], leases, alone)).toBe(leases[1]);
  });

  it("finds the one that listens among all a child has started", () => {
    const leases = [lease(10, 0), lease(11, 0), lease(12, 80), lease(13, 81)];
    const groups = new Map([
      [10, 10],
      [11, 10],
      [12, 10],
      [13, 99],
    ]);
    expect(leaseOf(child(10), [child(10), child(99)], leases, (pid) => groups.get(pid))).toBe(leases[2]);
  });

  it("takes the only lease of the only child where the system tells no groups, and guesses no further", () => {
    const leases = [lease(12)];
    expect(leaseOf(child(10), [child(10)], leases, alone)).toBe(leases[0]);
    expect(leaseOf(child(10), [child(10), child(11)], leases, alone)).toBeUndefined();
    expect(leaseOf(child(10), [child(10)], [...leases, lease(13)], alone)).toBeUndefined();
  });
});
