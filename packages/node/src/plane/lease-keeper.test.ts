import type { LeaseSpec, Registrar } from "@inmesh/core";
import { expect, it } from "vitest";
import { LeaseKeeper } from "./lease-keeper.js";

const spec = {
  ...{ namespace: "shop", service: "web", instance: "1", labels: {}, pid: 1, ttlMs: 15_000 },
  ...{ inmeshVersion: "0", schemaVersion: 1 },
};
const facts = (...ports: number[]) => ({
  address: "127.0.0.1",
  ports: ports.map((number) => ({ name: `p${number}`, number })),
});

function keeper({ fails = 0 } = {}) {
  const log: string[] = [];
  const held = { failures: 0 };
  const said = ({ ports = [] }: Partial<LeaseSpec>) => ports.map(({ number }) => number).join("+") || "none";
  const registrar: Registrar = {
    async register(lease) {
      await new Promise((resolve) => setImmediate(resolve));
      if (fails-- > 0) throw new Error("disk full");
      log.push(`register ${said(lease)}`);
      return {
        get failures() {
          return held.failures;
        },
        update: async (change) => void log.push(`update ${said(change)}`),
        remove: async () => void log.push("remove"),
      };
    },
  };
  return {
    ...{ log, held },
    keeper: new LeaseKeeper({
      registrar,
      spec,
      onEvent: (message) => log.push(`event: ${message}`),
      onFailure: (message) => log.push(`failure: ${message}`),
    }),
  };
}

it("registers once and then updates, in the order of what happened", async () => {
  const { log, keeper: lease } = keeper();
  void lease.say(facts());
  void lease.say(facts(80));
  await lease.say(facts(80, 81));
  await lease.leave();
  const steps = log.filter((line) => !line.startsWith("event"));
  expect([steps[0], steps.at(-2), steps.at(-1)]).toEqual(["register 80+81", "update 80+81", "remove"]);
});

it("does not come back after it left", async () => {
  const { log, keeper: lease } = keeper();
  await lease.say(facts(80));
  void lease.leave();
  await lease.say(facts(80, 81));
  await lease.leave();
  expect(log.filter((line) => !line.startsWith("event"))).toEqual(["register 80", "remove"]);
  expect(lease.ports).toEqual([]);
});

it("never registers when it left before it was asked to", async () => {
  const { log, keeper: lease } = keeper();
  await lease.leave();
  await lease.say(facts(80));
  expect(log).toEqual([]);
});

it("says why it could not register, and tries again with the next change", async () => {
  const { log, held, keeper: lease } = keeper({ fails: 1 });
  await lease.say(facts(80));
  expect(log).toEqual(["failure: disk full"]);
  await lease.say(facts(81));
  expect(log).toContain("register 81");
  expect(lease.failures).toBe(1);
  held.failures = 4; // renewals, of which the registrar knows
  expect(lease.failures).toBe(5);
});
