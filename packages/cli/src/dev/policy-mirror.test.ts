import { MemoryRegistry, type RegistryView, type Source, type Store } from "@inmesh/core";
import { FakeClock } from "@inmesh/core/testing";
import { type Document, parseDocuments } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { PolicyMirror } from "./policy-mirror.js";

/** A folder whose files are turned by hand. */
class Pages implements Source {
  readonly status = { state: "fresh", since: 0 } as const;
  closed = false;
  #listener: (view: RegistryView) => void = () => {};
  #view: RegistryView;

  constructor(documents: readonly Document[]) {
    this.#view = { documents, leases: [], problems: [] };
  }

  watch(listener: (view: RegistryView) => void): void {
    this.#listener = listener;
    listener(this.#view);
  }

  show(documents: readonly Document[]): void {
    this.#view = { documents, leases: [], problems: [] };
    this.#listener(this.#view);
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

function documents(...timeouts: readonly [name: string, timeout: string][]): readonly Document[] {
  return timeouts.flatMap(([name, timeout]) => {
    const text = `{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: ${name}}, spec: {hosts: [${name}], http: [{timeout: ${timeout}}]}}`;
    return parseDocuments(text, { file: `${name}.yaml` }).documents;
  });
}

async function setup(
  first: readonly Document[],
  store: Store = new MemoryRegistry({ documents: [], clock: new FakeClock() }),
) {
  const source = new Pages(first);
  const failures: string[] = [];
  const told: string[] = [];
  const mirror = new PolicyMirror({
    ...{ source, store, retryMs: 5, onFailure: (reason) => failures.push(reason) },
    isTemporary: ({ name }) => name === "switch",
    onTemporary: (temporary) => told.push(temporary.map(({ name }) => name).join()),
  });
  await mirror.start();
  const stored = async () =>
    (await store.list())
      .map(({ name, value }) => `${name} ${JSON.stringify(value).match(/"timeout":"(\w+)"/)?.[1]}`)
      .sort();
  return { source, mirror, failures, store, stored, told };
}

describe("PolicyMirror", () => {
  it("brings over what is there, what changes and what goes, and leaves alone what others put there", async () => {
    const { source, mirror, store, stored } = await setup(documents(["a", "1s"], ["b", "1s"]));
    await store.apply(documents(["other", "9s"]));
    expect(await stored()).toEqual(["a 1s", "b 1s", "other 9s"]);
    source.show(documents(["a", "2s"]));
    await mirror.close();
    expect(await stored()).toEqual(["a 2s", "other 9s"]);
    expect(source.closed).toBe(true);
  });

  it("takes away at its end what must not outlive it, and says before and after that it is there", async () => {
    const { mirror, stored, told } = await setup(documents(["a", "1s"], ["switch", "1s"]));
    expect([await stored(), told]).toEqual([["a 1s", "switch 1s"], ["switch"]]);
    await mirror.close();
    expect([await stored(), told]).toEqual([["a 1s"], ["switch", ""]]);
  });

  it("says why it was not taken, tries again, and applies only what is new", async () => {
    const memory = new MemoryRegistry({ documents: [], clock: new FakeClock() });
    const tried: number[] = [];
    const turns: (() => void)[] = [];
    const store: Store = {
      list: () => memory.list(),
      delete: (keys) => memory.delete(keys),
      apply: async (changed) => {
        tried.push(changed.length);
        if (tried.length === 1) throw new Error("503");
        const results = await memory.apply(changed);
        queueMicrotask(() => turns.shift()?.());
        return results;
      },
    };
    const applied = () => new Promise<void>((resolve) => turns.push(resolve));
    const again = applied();
    const { source, failures, stored } = await setup(documents(["a", "1s"], ["b", "1s"]), store);
    expect(failures).toEqual(["503"]);
    await again;
    const changed = applied();
    source.show(documents(["a", "3s"], ["b", "1s"]));
    await changed;
    expect(tried).toEqual([2, 2, 1]);
    expect(await stored()).toEqual(["a 3s", "b 1s"]);
  });
});
