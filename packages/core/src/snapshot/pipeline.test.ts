import {
  type CompileInput,
  compile,
  type Document,
  type Problem,
  parseDocuments,
  type Snapshot,
  validateDocument,
  type Workload,
} from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { FakeClock, settle } from "../runtime/fake-clock.js";
import { lease, namespace } from "../testing/registry-cases.js";
import { Pipeline, type PipelineOptions } from "./pipeline.js";
import { registryProblem } from "./registry-problem.js";
import type { Lease, RegistryView, Source, SourceStatus } from "./source.js";
import type { SavedState, StateFile } from "./state-file.js";
import { SnapshotStore } from "./store.js";

const CLIENT = { namespace: "shop", service: "web", labels: {} };

/** A source that says what it is told to. */
class ScriptedSource implements Source {
  status: SourceStatus = { state: "connecting", since: 0 };
  closed = false;
  #listener: ((view: RegistryView) => void) | undefined;

  watch(listener: (view: RegistryView) => void): void {
    this.#listener = listener;
  }

  say(documents: readonly Document[], leases: readonly Lease[] = [], problems: readonly Problem[] = []): void {
    this.show({ documents, leases, problems });
  }

  show(view: Partial<RegistryView>): void {
    this.status = { state: "fresh", since: 0 };
    this.#listener?.({ documents: [], leases: [], problems: [], ...view });
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

class ScriptedState {
  readonly saved: { documents: readonly Document[]; leases: readonly Lease[] }[] = [];
  refreshed = 0;
  readonly #kept: SavedState | undefined;

  constructor(kept?: SavedState) {
    this.#kept = kept;
  }

  async load() {
    return this.#kept;
  }
  save(content: { documents: readonly Document[]; leases: readonly Lease[] }) {
    this.saved.push(content);
  }
  refresh() {
    this.refreshed += 1;
  }
  async close() {}
}

function setup({ state, ...options }: Partial<Omit<PipelineOptions, "state">> & { state?: ScriptedState } = {}) {
  const clock = new FakeClock();
  const source = new ScriptedSource();
  const store = new SnapshotStore({ clock });
  const compiled: CompileInput[] = [];
  const validated: string[] = [];
  const pipeline = new Pipeline({
    source,
    store,
    clock,
    client: CLIENT,
    validate: (document) => {
      validated.push(document.key);
      return validateDocument(document);
    },
    compile: (input) => {
      compiled.push(input);
      return { version: input.version, revision: `r${input.version}`, problems: input.problems } as unknown as Snapshot;
    },
    ...(state && { state: state as unknown as StateFile }),
    ...options,
  });
  const resources = () => compiled.at(-1)?.resources.map(({ key, hash }) => `${key} ${hash.slice(0, 6)}`);
  return { clock, source, store, pipeline, compiled, validated, resources };
}

const id = ({ key, hash }: Document) => `${key} ${hash.slice(0, 6)}`;

/** A VirtualService that validation refuses when `bad`. */
function virtualService(name: string, { bad = false, weight = 1 } = {}): Document {
  const text = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: shop}
spec:
  hosts: [${name}]
  http: [{route: [{destination: {host: ${name}}, weight: ${weight}}], ${bad ? "tiemout: 3s" : "timeout: 3s"}}]
`;
  return parseDocuments(text, { file: `${name}.yaml` }).documents[0] ?? expect.fail("no document");
}

const foreignWorkload: Workload = {
  ...{ name: "db-1", namespace: "shop", service: "db", address: "10.0.0.9", labels: {}, weight: 7, healthy: false },
  ports: [{ number: 5432, name: "" }],
};

describe("Pipeline", () => {
  it("compiles again when names, or instances of others, changed, and only then", async () => {
    const { source, pipeline, compiled } = setup();
    pipeline.start();
    const web = { namespace: "shop", service: "web", loaded: false };
    const db = { ...web, service: "db" };
    const steps: Partial<RegistryView>[] = [
      {},
      { services: [] }, // that no name is known is another thing than that everything is told
      { services: [web] },
      { services: [web], workloads: [] },
      { services: [web, db] },
      { services: [web, db], workloads: [foreignWorkload] },
    ];
    const counts: number[] = [];
    for (const step of [...steps, steps.at(-1) ?? {}]) {
      source.show(step);
      await settle();
      counts.push(compiled.length);
    }
    expect(counts).toEqual([1, 2, 3, 3, 4, 5, 5]);
    expect(compiled.map(({ services }) => services?.length)).toEqual([undefined, 0, 1, 2, 2]);
  });

  it("publishes what the registry says, one version after the other", async () => {
    const { source, store, pipeline, resources } = setup();
    pipeline.start();
    expect(pipeline.status).toMatchObject({ state: "starting", version: 0, publications: 0 });
    const [one, two] = [namespace("one"), namespace("two")];
    source.say([one]);
    await settle();
    expect([store.current?.version, resources()]).toEqual([1, [id(one)]]);
    source.say([one, two]);
    await settle();
    expect([store.current?.version, resources()]).toEqual([2, [id(one), id(two)]]);
    expect(pipeline.status).toMatchObject({
      state: "ok",
      version: 2,
      revision: "r2",
      publications: 2,
      views: 2,
      refused: [],
    });
  });

  it("compiles views of one turn once, with the last of them", async () => {
    const { source, pipeline, compiled, resources } = setup();
    pipeline.start();
    const two = namespace("two");
    source.say([namespace("one")]);
    source.say([]);
    source.say([two]);
    await settle();
    expect([compiled.length, resources()]).toEqual([1, [id(two)]]);
  });

  it("publishes nothing when a view says the same again", async () => {
    const { source, pipeline, compiled } = setup();
    pipeline.start();
    const [one, here] = [namespace("one"), { ...lease("a"), name: "shop.reviews.a" }];
    source.say([one], [here]);
    await settle();
    source.say([one], [here]);
    await settle();
    expect(compiled).toHaveLength(1);
  });

  it("validates a document once for as long as it is the same object", async () => {
    const { source, pipeline, validated } = setup();
    pipeline.start();
    const one = namespace("one");
    source.say([one]);
    await settle();
    source.say([one, namespace("two")]);
    await settle();
    expect(validated).toEqual(["Namespace/one/one", "Namespace/two/two"]);
  });

  it("takes instances that others registered, and what the registry says of weight and health", async () => {
    const { source, pipeline, compiled } = setup();
    pipeline.start();
    const other = { ...{ name: "db-1", namespace: "shop", service: "db", address: "10.0.0.1", ports: [], labels: {} } };
    const workloads = [{ ...other, weight: 1, healthy: true }];
    const leases = [{ ...lease("a"), name: "shop.reviews.a", weight: 5, healthy: false }];
    source.show({ documents: [], leases, workloads, problems: [] });
    await settle();
    expect(compiled.at(-1)?.workloads).toMatchObject([{ weight: 5, healthy: false }, other]);
    source.show({ documents: [], leases, problems: [] });
    await settle();
    expect([compiled.length, compiled.at(-1)?.workloads.length]).toEqual([2, 1]);
  });

  it("makes the same workload of the same lease", async () => {
    const { source, pipeline, compiled } = setup();
    pipeline.start();
    const here: Lease = { ...lease("a"), name: "shop.reviews.a" };
    source.say([], [here]);
    await settle();
    source.say([namespace("one")], [here]);
    await settle();
    expect(compiled[1]?.workloads[0]).toBe(compiled[0]?.workloads[0]);
    expect(compiled[0]?.workloads[0]).toEqual({
      name: "shop.reviews.a",
      namespace: "shop",
      service: "reviews",
      address: "127.0.0.1",
      ports: [{ number: 8080, name: "http" }],
      labels: { version: "v1", "app.kubernetes.io/name": "reviews" },
      locality: { region: "eu", zone: "eu-1", subZone: "rack-2" },
      serviceAccount: "reviews",
      member: true,
      weight: 1,
      healthy: true,
    });
  });

  it("keeps the last good version of a refused document, and its neighbour's new one goes live", async () => {
    const { source, pipeline, resources } = setup();
    pipeline.start();
    const [good, neighbour] = [virtualService("reviews"), virtualService("ratings", { weight: 2 })];
    source.say([good, virtualService("ratings")]);
    await settle();
    source.say([virtualService("reviews", { bad: true }), neighbour]);
    await settle();
    expect(resources()).toEqual([id(good), id(neighbour)]);
    const { state, refused, problems } = pipeline.status;
    expect(state).toBe("degraded");
    expect(refused).toEqual([
      expect.objectContaining({ key: "VirtualService/shop/reviews", kept: true, security: false }),
    ]);
    expect(problems).toEqual([
      expect.objectContaining({ message: expect.stringContaining("timeout"), file: "reviews.yaml", line: 6 }),
    ]);
    source.say([virtualService("reviews", { bad: true, weight: 5 }), neighbour]);
    await settle();
    expect(resources()).toEqual([id(good), id(neighbour)]);
    source.say([virtualService("reviews"), neighbour]);
    await settle();
    expect(pipeline.status).toMatchObject({ state: "ok", refused: [], problems: [] });
  });

  it("loads the rest when a refused document has no version before", async () => {
    const { source, pipeline, resources } = setup();
    pipeline.start();
    const neighbour = virtualService("ratings");
    source.say([virtualService("reviews", { bad: true }), neighbour]);
    await settle();
    expect(resources()).toEqual([id(neighbour)]);
    expect(pipeline.status).toMatchObject({
      state: "degraded",
      refused: [{ key: "VirtualService/shop/reviews", kept: false }],
    });
  });

  it("forgets the good version of a document that was deleted in between", async () => {
    const { source, pipeline, resources } = setup();
    pipeline.start();
    for (const documents of [[virtualService("reviews")], [], [virtualService("reviews", { bad: true })]]) {
      source.say(documents);
      await settle();
    }
    expect(resources()).toEqual([]);
  });

  it("is degraded while the registry holds something that cannot be parsed", async () => {
    const { source, pipeline } = setup();
    pipeline.start();
    source.say([], [], [registryProblem("IM0702", "error", "a.yaml cannot be read")]);
    await settle();
    expect(pipeline.status).toMatchObject({ state: "degraded", problems: [{ code: "IM0702" }] });
  });

  it("lists a security resource that is not in force, and tells the compiler whom it means", async () => {
    const { source, pipeline, compiled } = setup();
    pipeline.start();
    const text =
      "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: deny, namespace: shop}\nspec: {selector: {matchLabels: {app: web, tier: 1}}, action: NEVER}\n";
    const { documents, problems } = parseDocuments(text, { file: "a.yaml" });
    source.say(documents, [], problems);
    await settle();
    const { refused } = pipeline.status;
    expect(refused).toEqual([
      expect.objectContaining({
        key: "AuthorizationPolicy/shop/deny",
        kind: "AuthorizationPolicy",
        security: true,
        kept: false,
      }),
    ]);
    // What is no label selects nobody in particular.
    expect(compiled[0]?.refusedSecurity).toEqual([
      { kind: "AuthorizationPolicy", namespace: "shop", name: "deny", selector: { app: "web" } },
    ]);
  });

  it.each(["compile", "validate"] as const)("keeps the last snapshot when %s fails, and says so", async (step) => {
    let broken = false;
    const fail = (): never => {
      throw new Error("a fault of ours");
    };
    const { source, store, pipeline } = setup({
      validate: (document) => (broken && step === "validate" ? fail() : validateDocument(document)),
      compile: ({ version, problems }) =>
        broken && step === "compile" ? fail() : ({ version, problems, revision: "" } as unknown as Snapshot),
    });
    pipeline.start();
    source.say([namespace("one")]);
    await settle();
    broken = true;
    source.say([]);
    source.say([namespace("two")]);
    await settle();
    expect(store.current?.version).toBe(1);
    expect(pipeline.status).toMatchObject({ state: "degraded", compileFailures: 1, problems: [{ code: "IM0708" }] });
    broken = false;
    source.say([namespace("three")]);
    await settle();
    expect(pipeline.status).toMatchObject({ state: "ok", version: 2 });
  });

  it("does nothing any more once closed", async () => {
    const { source, pipeline, compiled } = setup();
    pipeline.start();
    source.say([namespace("one")]);
    await pipeline.close();
    source.say([namespace("two")]);
    await settle();
    expect([compiled.length, source.closed]).toEqual([0, true]);
  });
});

describe("Pipeline with the steps of the model", () => {
  it("makes a snapshot that routes", async () => {
    const clock = new FakeClock();
    const [source, store] = [new ScriptedSource(), new SnapshotStore({ clock })];
    new Pipeline({ source, store, clock, client: CLIENT, validate: validateDocument, compile }).start();
    const unchanged = virtualService("ratings");
    source.say([virtualService("reviews"), unchanged], [{ ...lease("a"), name: "shop.reviews.a" }]);
    await settle();
    const host = store.current?.routes.lookup("reviews", 80);
    const cluster = store.current?.cluster("outbound|80||reviews.shop.svc.cluster.local") ?? expect.fail("no cluster");
    expect([host?.resource?.name, store.current?.endpoints(cluster).endpoints.map(({ id }) => id)]).toEqual([
      "reviews",
      ["127.0.0.1:8080"],
    ]);
  });
});

describe("Pipeline with a kept state", () => {
  const kept = (documents: readonly Document[], leases: readonly Lease[] = []) =>
    new ScriptedState({ documents, leases, savedAt: 1_000 });

  it("starts from it when the registry is away, and says so", async () => {
    const [one, here] = [namespace("one"), { ...lease("a"), name: "shop.reviews.a" }];
    const state = kept([one], [here]);
    const { clock, source, store, pipeline, compiled, resources } = setup({ state });
    pipeline.start();
    await settle();
    source.status = { state: "stale", since: 0, reason: "away" };
    await clock.advanceAsync(50);
    expect([resources(), compiled[0]?.workloads.length, store.current?.version]).toEqual([[id(one)], 1, 1]);
    expect(pipeline.status).toMatchObject({ fromState: true, stateSavedAt: 1_000, source: { state: "stale" } });
    expect(state.saved).toEqual([]);
    source.say([one], [here]);
    await settle();
    expect(pipeline.status.fromState).toBe(false);
  });

  it("waits a second for a registry that says nothing", async () => {
    const { clock, store, pipeline } = setup({ state: kept([namespace("one")]) });
    pipeline.start();
    await settle();
    await clock.advanceAsync(999);
    expect(store.current).toBeUndefined();
    await clock.advanceAsync(51);
    expect(store.current?.version).toBe(1);
  });

  it("does not use it when the registry answers, but takes the place of a document refused from the start", async () => {
    const [good, gone] = [virtualService("reviews"), namespace("gone")];
    const { clock, source, pipeline, resources, compiled } = setup({ state: kept([good, gone]) });
    pipeline.start();
    await settle();
    const [bad, other] = [virtualService("reviews", { bad: true, weight: 2 }), namespace("other")];
    source.say([bad, other]);
    await clock.advanceAsync(2_000);
    expect([resources(), compiled.length]).toEqual([[id(good), id(other)], 1]);
    expect(pipeline.status.refused).toEqual([expect.objectContaining({ kept: true })]);
  });

  it("saves what is in force, not what was refused", async () => {
    const state = kept([]);
    const { source, pipeline } = setup({ state });
    pipeline.start();
    await settle();
    const good = virtualService("reviews");
    source.say([good]);
    await settle();
    source.say([virtualService("reviews", { bad: true })]);
    await settle();
    expect(state.saved.map(({ documents }) => documents.map(id))).toEqual([[id(good)], [id(good)]]);
  });

  it("dates it anew while the registry stands by it, and only then", async () => {
    const state = kept([]);
    const { clock, source, pipeline } = setup({ state });
    pipeline.start();
    await settle();
    source.say([]);
    await clock.advanceAsync(6 * 3_600_000);
    expect(state.refreshed).toBe(1);
    source.status = { state: "stale", since: 0 };
    await clock.advanceAsync(12 * 3_600_000);
    expect(state.refreshed).toBe(1);
    await pipeline.close();
    expect(clock.pending).toBe(0);
  });
});
