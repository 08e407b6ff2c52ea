import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Lease } from "@inmesh/core";
import { FakeClock } from "@inmesh/core/testing";
import { type Document, documentFromValue } from "@inmesh/model";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EventLog } from "./event-log.js";
import type { Edge } from "./figures.js";
import type { Instance } from "./instance.js";
import { chooseVictim, KeyActions } from "./key-actions.js";
import type { MeshWatch } from "./mesh-watch.js";
import { FAULT_FILE, MODE_FILE } from "./policy-switch.js";
import type { Supervisor } from "./supervisor.js";

const instance = (id: string, service: string) =>
  ({ id, pid: 1, endWanted: false, spec: { service, command: ["x"], env: {}, cwd: "/" } }) as unknown as Instance;
const edge = (from: string, to: string, requestsPerSecond: number): Edge => ({
  ...{ from, to, requestsPerSecond, success: 1, retries: 0, versions: [] },
  ...{ p50Ms: 1, p95Ms: 1, p99Ms: 1 },
});

describe("chooseVictim", () => {
  it.each<[string, string[], Edge[], string | undefined]>([
    ["a service with a second replica", ["a-1 a", "b-1 b", "b-2 b"], [edge("b", "a", 100)], "b-1"],
    ["the one that is called most, of those", ["a-1 a", "a-2 a", "b-1 b", "b-2 b"], [edge("x", "b", 5)], "b-1"],
    ["the one that is called most, when each is alone", ["a-1 a", "b-1 b"], [edge("a", "b", 5)], "b-1"],
    ["nobody, when there is nobody", [], [], undefined],
  ])("takes %s", (_, ids, edges, victim) => {
    const instances = ids.map((text) => instance(text.split(" ")[0] ?? "", text.split(" ")[1] ?? ""));
    expect(chooseVictim(instances, edges)?.id).toBe(victim);
  });
});

describe("KeyActions", () => {
  let config = "";
  beforeEach(() => {
    config = mkdtempSync(join(tmpdir(), "inmesh-keys-"));
  });
  afterEach(() => rmSync(config, { recursive: true, force: true }));

  function setup(edges: Edge[] = []) {
    const clock = new FakeClock();
    const events = new EventLog(() => 0);
    const leases = [{ service: "reviews", namespace: "shop", ports: [{}] }] as unknown as Lease[];
    const documents: Document[] = [];
    const watch = { leases, edges, documents } as unknown as MeshWatch;
    const paths = new Set<string>();
    const reaper = {
      watchPath: (path: string) => void paths.add(path),
      forgetPath: (path: string) => void paths.delete(path),
    };
    const supervisor = { instances: [] } as unknown as Supervisor;
    const actions = new KeyActions({ config, clock, events, supervisor, watch, reaper });
    return { actions, clock, documents, paths, last: () => events.events.at(-1)?.text };
  }

  it("switches policy off and on by a document that comes and goes", () => {
    const { actions, last } = setup();
    actions.switchPolicy("on");
    expect(JSON.parse(readFileSync(join(config, MODE_FILE), "utf8")).spec).toEqual({ mode: "off" });
    actions.switchPolicy("on"); // the processes have not told yet that it is off
    expect([existsSync(join(config, MODE_FILE)), last()]).toEqual([false, "policy on again"]);
    actions.switchPolicy("off"); // nor that it is on again
    expect(JSON.parse(readFileSync(join(config, MODE_FILE), "utf8")).spec).toEqual({ mode: "off" });
  });

  it("leaves a MeshMode of the user's alone", () => {
    const { actions, last } = setup();
    actions.switchPolicy("off");
    expect([existsSync(join(config, MODE_FILE)), last()]).toEqual([
      false,
      expect.stringContaining("a MeshMode in your folder"),
    ]);
  });

  it("injects a fault on the busiest calls, and takes it back after 10 s", async () => {
    const { actions, clock, last } = setup([edge("web", "reviews", 10), edge("web", "elsewhere.example", 90)]);
    actions.switchFault();
    const document = JSON.parse(readFileSync(join(config, FAULT_FILE), "utf8"));
    expect([document.metadata.namespace, document.spec.hosts]).toEqual(["shop", ["reviews"]]);
    expect(actions.fault).toBe("fault: reviews 30% 503");
    await clock.advance(9_999);
    expect(existsSync(join(config, FAULT_FILE))).toBe(true);
    await clock.advance(1);
    expect([existsSync(join(config, FAULT_FILE)), actions.fault, last()]).toEqual([false, "", "fault ended"]);
  });

  it("disturbs the rules that hold now, when they change while it does", () => {
    const { actions, documents } = setup([edge("web", "reviews", 90)]);
    const rules = (timeout: string) =>
      documentFromValue({
        apiVersion: "networking.istio.io/v1",
        kind: "VirtualService",
        metadata: { name: "reviews", namespace: "shop" },
        spec: { hosts: ["reviews"], http: [{ timeout, route: [{ destination: { host: "reviews" } }] }] },
      }).documents;
    const timeout = () => JSON.parse(readFileSync(join(config, FAULT_FILE), "utf8")).spec.http[0].timeout;
    documents.push(...rules("1s"));
    actions.switchFault();
    expect(timeout()).toBe("1s");
    documents.splice(0, 1, ...rules("2s"));
    actions.followPolicy();
    expect(timeout()).toBe("2s");
    actions.endFault();
    actions.followPolicy();
    expect(existsSync(join(config, FAULT_FILE))).toBe(false);
  });

  it("takes the fault back at the second press, once", async () => {
    const { actions, clock, last } = setup([edge("web", "reviews", 10)]);
    actions.switchFault();
    actions.switchFault();
    expect(existsSync(join(config, FAULT_FILE))).toBe(false);
    actions.switchFault();
    await clock.advance(9_999); // the first one's timer is gone
    expect([existsSync(join(config, FAULT_FILE)), last()]).toEqual([
      true,
      expect.stringContaining("30 % of the calls"),
    ]);
  });

  it("says why it injects nothing", () => {
    const { actions, last } = setup();
    actions.switchFault();
    expect(last()).toBe("no fault injected: no calls between services were seen yet");
  });

  it("says when the folder cannot be written", () => {
    const { actions, last } = setup();
    rmSync(config, { recursive: true });
    actions.switchPolicy("on");
    expect(last()).toBe(`cannot write into ${config}: no such file or folder`);
  });

  it("leaves nothing of ours behind, and tells the reaper while there is something", () => {
    const { actions, paths } = setup([edge("web", "reviews", 10)]);
    actions.switchFault();
    actions.switchPolicy("on");
    expect([...paths].sort()).toEqual([`${config}/${FAULT_FILE}`, `${config}/${MODE_FILE}`]);
    actions.close();
    expect([existsSync(join(config, FAULT_FILE)), existsSync(join(config, MODE_FILE)), paths.size]).toEqual([
      false,
      false,
      0,
    ]);
  });
});
