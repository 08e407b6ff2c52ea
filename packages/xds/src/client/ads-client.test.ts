/** The client on a scripted server and a fake clock: what it asks, in which order, and what it tells. */

import { settle } from "@inmesh/core/testing";
import { describe, expect, it } from "vitest";
import { WireWriter } from "../proto/wire-writer.js";
import { resourceError, ScriptedServer, setUp, Told, thing, things } from "./scripted-server.test.helper.js";

/** A version as one says it. */
const ISTIOD = "2026-11-28T11:10:59Z/2";
const MODES = ["sotw", "delta"] as const;
const named = (name: string, text: string) => ({ name, bytes: thing(name, text) });

describe("the state-of-the-world form", () => {
  it("asks once with the node, acknowledges, and repeats all names in each request", async () => {
    const { client, server } = setUp("sotw");
    const told = new Told();
    const watch = client.watch(things(false), { names: ["a"], onChanges: told.onChanges });
    await settle();
    expect(server.askedWhole()).toEqual([
      { node: { id: "test" }, type_url: "type.googleapis.com/test.Thing", resource_names: ["a"] },
    ]);
    server.answer([{ bytes: thing("a", "one") }], { version: "7" });
    expect(server.asked()).toEqual([{ version_info: "7", response_nonce: "n1", resource_names: ["a"] }]);
    expect(told.take()).toEqual(["a=one"]);
    watch.add(["b", "a"]);
    watch.add(["c"]);
    await settle();
    expect(server.asked()).toEqual([{ version_info: "7", response_nonce: "n1", resource_names: ["a", "b", "c"] }]);
    watch.remove(["a", "b", "c"]);
    await settle();
    expect(server.asked()).toEqual([{ version_info: "7", response_nonce: "n1" }]);
  });

  it("refuses with the last good version, says why once, and uses the neighbours", async () => {
    const { client, server } = setUp("sotw");
    const told = new Told();
    const watch = client.watch(things(false), { names: ["a", "b"], onChanges: told.onChanges });
    await settle();
    server.answer([{ bytes: thing("a", "one") }], { version: "1" });
    server.asked();
    server.answer([{ bytes: thing("a", "bad") }, { bytes: thing("b", "two") }], { version: "2" });
    const error_detail = { code: 3, message: "1 of 2 resources refused: a: a is bad" };
    expect(server.asked()).toEqual([
      { version_info: "1", response_nonce: "n2", resource_names: ["a", "b"], error_detail },
    ]);
    expect(told.take()).toEqual(["a=one", "b=two"]);
    watch.add(["c"]);
    await settle();
    expect(server.asked()).toEqual([{ version_info: "1", response_nonce: "n2", resource_names: ["a", "b", "c"] }]);
    expect(client.status.resources.filter(({ state }) => state === "NACKED")).toMatchObject([
      {
        ...{ name: "a", version: "1", error: "a is bad", bytes: thing("a", "one") },
        refused: { version: "2", bytes: thing("a", "bad") },
      },
    ]);
    const [traffic] = client.traffic();
    expect(traffic).toMatchObject({ url: "test.Thing", accepted: 1, rejected: 1 });
    expect(traffic?.bytes).toBeGreaterThan(2 * thing("a", "one").length);
  });

  it("takes what an answer lacks as gone, of types whose answers are whole; but not where something has no name", async () => {
    const { client, server } = setUp("sotw");
    const told = new Told();
    client.watch(things(true), { names: "*", onChanges: told.onChanges });
    await settle();
    expect(server.asked()).toEqual([{}]);
    server.answer([{ bytes: thing("a") }, { bytes: thing("b") }]);
    expect(told.take()).toEqual(["a= b="]);
    server.answer([{ bytes: thing("a") }, { bytes: Uint8Array.of(255) }]);
    expect(told.take()).toEqual([]);
    server.answer([{ bytes: thing("a") }]);
    expect(told.take()).toEqual(["-b"]);
    server.answer([{ bytes: thing("a") }, { bytes: thing("b") }]);
    expect(told.take()).toEqual(["b="]);
  });

  it("never takes back the last name of such a type, and keeps what it has of it true", async () => {
    const { client, server } = setUp("sotw");
    const told = new Told();
    const watch = client.watch(things(true), { names: ["a"], onChanges: told.onChanges });
    await settle();
    server.answer([{ bytes: thing("a", "1") }]);
    watch.remove(["a"]);
    await settle();
    server.asked();
    server.answer([{ bytes: thing("a", "2") }, { bytes: thing("z") }], { version: "2" });
    expect(server.asked()).toEqual([{ version_info: "2", response_nonce: "n2", resource_names: ["a"] }]);
    told.take();
    watch.add(["a"]);
    await settle();
    expect(told.take()).toEqual(["a=2"]);
  });

  it("carries versions over to the next stream, but no nonce", async () => {
    const { client, server, clock } = setUp("sotw");
    client.watch(things(false), { names: ["a"], onChanges: new Told().onChanges });
    await settle();
    server.answer([{ bytes: thing("a") }], { version: "7" });
    server.cut();
    await clock.advanceAsync(2_000);
    expect(server.askedWhole()).toMatchObject([{ node: { id: "test" }, version_info: "7", resource_names: ["a"] }]);
  });
});

describe("the incremental form", () => {
  it("changes subscriptions in messages of their own, without a nonce", async () => {
    const { client, server } = setUp("delta");
    const told = new Told();
    const watch = client.watch(things(false), { names: ["a", "b"], onChanges: told.onChanges });
    await settle();
    expect(server.askedWhole()).toMatchObject([{ node: { id: "test" }, resource_names_subscribe: ["a", "b"] }]);
    server.answer([named("a", "1")]);
    expect(server.asked()).toEqual([{ response_nonce: "n1" }]);
    watch.add(["c"]);
    watch.remove(["a"]);
    await settle();
    expect(server.asked()).toEqual([{ resource_names_subscribe: ["c"], resource_names_unsubscribe: ["a"] }]);
    server.answer([named("a", "2")]); // nobody wants it any more
    server.answer([], { removed: ["b"] });
    expect(told.take()).toEqual(["a=1", "-b"]);
  });

  it("asks for every one by no name, and beside names by the star", async () => {
    const { client, server } = setUp("delta");
    const type = things(true);
    const all = client.watch(type, { names: "*", onChanges: new Told().onChanges });
    await settle();
    expect(server.asked()).toEqual([{}]);
    client.watch(type, { names: ["a"], onChanges: new Told().onChanges });
    await settle();
    expect(server.asked()).toEqual([{ resource_names_subscribe: ["a"] }]);
    all.close();
    await settle();
    expect(server.asked()).toEqual([{ resource_names_unsubscribe: ["*"] }]);
  });

  it("tells a new stream what it holds", async () => {
    const { client, server, clock } = setUp("delta");
    client.watch(things(false), { names: ["a", "b"], onChanges: new Told().onChanges });
    await settle();
    server.answer([{ ...named("a", "1"), version: "7" }]);
    server.cut();
    await clock.advanceAsync(2_000);
    expect(server.asked()).toEqual([{ resource_names_subscribe: ["a", "b"], initial_resource_versions: { a: "7" } }]);
  });

  it("holds each by the version it was called last, also where its bytes are the same", async () => {
    const { server, client, clock } = setUp("delta");
    client.watch(things(false), { names: ["a", "b", "c", "d"], onChanges: () => {} });
    await settle();
    const all = ["a", "b", "c", "d"].map((name) => named(name, name));
    const versions = (...own: readonly string[]) => all.map((each, index) => ({ ...each, version: own[index] ?? "" }));
    server.answer(versions("0a1b", "", "s1", "2"), { version: "s1" });
    server.answer(versions("0a1c", "s2", "s1", "2"), { version: "s2" });
    const shown = () => client.resources().map(({ name, version, bytes }) => [name, version, bytes]);
    const texts = all.map(({ name, bytes }) => [name, bytes] as const);
    const told = ["0a1c", "s2", "s1", "2"];
    expect(shown()).toEqual(texts.map(([name, bytes], index) => [name, told[index], bytes]));
    server.answer([], { version: "s3", removed: ["a", "b"] });
    expect(shown().map(([, version]) => version)).toEqual(told); // of what was good last
    server.cut();
    await clock.advanceAsync(2_000);
    expect(server.asked()).toMatchObject([{ initial_resource_versions: { c: "s1", d: "2" } }]);
  });

  it("repeats all names of listeners and clusters for servers that forget the others", async () => {
    const { client, server } = setUp("delta", { repeatsNames: true });
    const watch = client.watch(things(true), { names: ["a"], onChanges: new Told().onChanges });
    await settle();
    watch.add(["b"]);
    await settle();
    expect(server.asked()).toEqual([{ resource_names_subscribe: ["a"] }, { resource_names_subscribe: ["a", "b"] }]);
  });

  it("asks anew after each push of an istiod, which goes on telling only what it told last", async () => {
    const { client, server } = setUp("delta", { repeatsNames: true });
    const push = (...names: string[]) =>
      server.answer(
        names.map((name) => named(name, "1")),
        { version: ISTIOD },
      );
    client.watch(things(true), { names: "*", onChanges: new Told().onChanges });
    await settle();
    server.asked();
    push("a", "b");
    const again = { resource_names_subscribe: ["*"], resource_names_unsubscribe: ["a", "b"] };
    expect(server.asked()).toEqual([{ response_nonce: "n1" }, again]);
    push("a", "b", "c"); // the answer to that
    expect(server.asked()).toEqual([{ response_nonce: "n2" }]);
    push("a", "b");
    expect(server.asked()).toEqual([{ response_nonce: "n3" }, again]);
  });

  it("asks anew for a name that a push of an istiod lacks, once", async () => {
    const { client, server } = setUp("delta", { repeatsNames: true });
    client.watch(things(true), { names: ["a", "b"], onChanges: new Told().onChanges });
    await settle();
    server.asked();
    const push = (...removed: string[]) => server.answer([named("a", "1")], { removed, version: ISTIOD });
    push("b");
    expect(server.asked()).toEqual([{ response_nonce: "n1" }, { resource_names_subscribe: ["a", "b"] }]);
    push("b");
    expect(server.asked()).toEqual([{ response_nonce: "n2" }]);
  });

  it("refuses a message that calls itself otherwise than its wrapper", async () => {
    const { client, server } = setUp("delta");
    client.watch(things(false), { names: ["a"], onChanges: new Told().onChanges });
    await settle();
    server.asked();
    server.answer([{ name: "a", bytes: thing("b") }]);
    expect(server.asked()).toMatchObject([{ error_detail: { message: expect.stringContaining("calls itself b") } }]);
  });
});

describe.each(MODES)("AdsClient, %s", (mode) => {
  async function watching(names: readonly string[] | "*", options: Parameters<typeof setUp>[1] = {}) {
    const test = setUp(mode, options);
    const told = new Told();
    const type = things(false);
    const watch = test.client.watch(type, { names, onChanges: told.onChanges });
    await settle();
    test.server.asked();
    return { ...test, told, type, watch };
  }

  it("reads only bytes that are new, and tells only what means something else", async () => {
    const { server, told, type } = await watching(["a"]);
    server.answer([named("a", "{xy")]);
    server.answer([named("a", "{xy")], { version: "2" });
    expect(type.decoded).toBe(1);
    server.answer([named("a", "{yx")], { version: "3" });
    expect([type.decoded, told.take()]).toEqual([2, ["a={xy"]]);
    server.answer([named("a", "bad")]);
    server.answer([named("a", "bad")]);
    expect(type.decoded).toBe(3);
    expect(server.asked().at(-1)).toMatchObject({ error_detail: { message: expect.stringContaining("a is bad") } });
    server.answer([named("a", "{z")]);
    expect(told.take()).toEqual(["a={z"]);
  });

  it("refuses a name that is there twice, another type, and what has no name", async () => {
    const { server, told } = await watching(["a", "b"]);
    server.answer([named("a", "1"), named("a", "2"), { ...named("b", "1"), type: "test.Other" }]);
    expect(told.take()).toEqual(["a=1"]);
    const [{ error_detail } = {}] = server.asked();
    expect(error_detail).toMatchObject({
      message: expect.stringMatching(/^2 of 3 .*a: it is there more than once.*test.Other/),
    });
  });

  it("refuses a resource whose bytes break off inside of it, uses its neighbours, and takes nothing for gone", async () => {
    const { client, server } = setUp("sotw");
    const told = new Told();
    client.watch(things(true), { names: "*", onChanges: told.onChanges });
    await settle();
    server.answer([named("a", ""), named("b", "")]);
    server.asked();
    told.take();
    const cut = Uint8Array.of(10, 9, 97); // nine bytes of a type, of which one is there
    const whole = new WireWriter()
      .tag(1, 2)
      .string("type.googleapis.com/test.Thing")
      .tag(2, 2)
      .part(thing("a", "2"))
      .finish();
    const answer = new WireWriter().tag(1, 2).string("2").tag(2, 2).part(cut).tag(2, 2).part(whole);
    server.raw(answer.tag(4, 2).string("type.googleapis.com/test.Thing").tag(5, 2).string("n2").finish());
    expect(told.take()).toEqual(["a=2"]);
    expect(server.asked()).toMatchObject([
      { error_detail: { message: expect.stringMatching(/^1 of 2 .*resource 1: /) } },
    ]);
  });

  it("neither takes nor refuses a type that nobody asked for, and says so once", async () => {
    const { server, warnings } = await watching(["a"]);
    server.answer([], { url: "test.Other" });
    server.answer([], { url: "test.Other" });
    expect(server.asked()).toEqual([]);
    expect(warnings).toEqual(["the server sends type.googleapis.com/test.Other, which nobody asked for"]);
  });

  it("says after 15 s that there is none, unless the stream was gone in between", async () => {
    const { server, clock, told, client } = await watching(["a", "b"]);
    server.answer([named("b", "")]);
    await clock.advanceAsync(14_000);
    server.cut();
    await clock.advanceAsync(14_999);
    expect(told.take()).toEqual(["b="]);
    await clock.advanceAsync(1_500);
    expect(told.take()).toEqual(["-a"]);
    expect(client.status.resources).toMatchObject([{ name: "a", state: "TIMEOUT", error: "no answer in 15 s" }]);
    server.answer([named("a", "late")]);
    expect(told.take()).toEqual(["a=late"]);
  });

  it("waits longer between tries that brought nothing, and not after a stream that did", async () => {
    const { server, clock } = await watching(["a"]);
    server.answer([named("a", "")]);
    await clock.advanceAsync(60_000);
    expect(server.tried).toBe(1);
    server.cut();
    await clock.advanceAsync(1);
    expect([server.tried, server.isOpen]).toEqual([2, true]);
    server.away = true;
    server.cut();
    await clock.advanceAsync(120_000);
    const tries = server.tried - 2;
    expect(tries).toBeGreaterThan(6); // 1, 2, 4, 8, 16, 30 … s, each up to half as long
    expect(tries).toBeLessThan(14);
  });

  it("counts as old what a server said that is away for a while, and keeps it", async () => {
    const { server, clock, client, told } = await watching(["a"]);
    const states: string[] = [];
    client.onState(({ state, reason }) => states.push(`${state} ${reason ?? ""}`.trim()));
    server.answer([named("a", "")]);
    server.cut();
    await clock.advanceAsync(1_500);
    server.answer([named("a", "")]);
    expect(states).toEqual(["fresh"]);
    server.away = true;
    server.cut("gone");
    await clock.advanceAsync(3_000);
    server.away = false;
    await clock.advanceAsync(40_000);
    expect(states).toEqual(["fresh", "stale away", "fresh"]);
    expect(told.take()).toEqual(["a="]);
    expect(client.status).toMatchObject({ state: "fresh", server: "test:1" });
  });

  it("works an answer through in short turns, the last of them for what comes of it, reads no further one meanwhile, and acknowledges before it tells", async () => {
    const { server, clock, told, type, later } = await watching(["a", "b", "c"]);
    const { decode } = type;
    type.decode = (...args) => {
      clock.stall(3);
      return decode.apply(type, args);
    };
    server.answer([named("a", ""), named("b", ""), named("c", "")]);
    server.answer([named("a", "2")], { version: "2" });
    expect([type.decoded, server.paused, told.lines, server.asked()]).toEqual([2, true, [], []]);
    later.shift()?.();
    expect([type.decoded, told.lines]).toEqual([3, []]);
    later.shift()?.();
    expect([type.decoded, told.take(), server.paused]).toEqual([4, ["a= b= c="], true]);
    later.shift()?.();
    expect(told.take()).toEqual(["a=2"]);
    expect(server.paused).toBe(false);
    expect(server.asked().map(({ response_nonce }) => response_nonce)).toEqual(["n1", "n2"]);
  });

  it("takes nothing of an answer whose stream ended in the middle of it", async () => {
    const { server, clock, told, type, later } = await watching(["a", "b"]);
    const { decode } = type;
    type.decode = (...args) => {
      clock.stall(10);
      return decode.apply(type, args);
    };
    server.answer([named("a", ""), named("b", "")]);
    server.cut();
    later.shift()?.();
    expect(told.lines).toEqual([]);
  });

  it("gives a stream up whose messages cannot be read", async () => {
    const { server, client, clock } = await watching(["a"]);
    server.raw(Uint8Array.of(255, 255));
    expect(server.isOpen).toBe(false);
    expect(client.status).toMatchObject({ state: "connecting", reason: expect.stringContaining("cannot be read") });
    await clock.advanceAsync(1_001);
    expect(server.isOpen).toBe(true);
  });

  it("comes to the same end wherever its streams are cut", async () => {
    const texts = ["1", "2", "bad", "3"];
    for (let cutAt = 0; cutAt < texts.length; cutAt++) {
      for (const inTheMiddle of [false, true]) {
        const { server, clock, told, type, later } = await watching(["a", "b"]);
        const { decode } = type;
        type.decode = (...args) => {
          clock.stall(10); // each resource takes a turn of its own
          return decode.apply(type, args);
        };
        for (const [index, text] of texts.entries()) {
          server.answer([named("a", text), named("b", `b${text}`)], { version: text });
          if (index === cutAt && inTheMiddle) later.shift()?.();
          while (index !== cutAt && later.length > 0) later.shift()?.();
          if (index !== cutAt) continue;
          server.cut();
          while (later.length > 0) later.shift()?.();
          await clock.advanceAsync(2_000);
        }
        // Of a server that says all of it again to who comes back.
        server.answer([named("a", "3"), named("b", "b3")], { version: "3" });
        while (later.length > 0) later.shift()?.();
        expect(told.lines.at(-1)).toMatch(/(^| )(a=3|b=b3)$/);
        expect([server.paused, server.asked().at(-1)?.["error_detail"]]).toEqual([false, undefined]);
      }
    }
  });

  it("lets a time to live pass, and a sign of life prolong it", async () => {
    const { server, clock, told } = await watching(["a"]);
    server.answer([{ ...named("a", "1"), ttl: "10s" }]);
    await clock.advanceAsync(9_000);
    server.answer([{ name: "a", ttl: "10s" }]);
    await clock.advanceAsync(9_000);
    expect(told.take()).toEqual(["a=1"]);
    await clock.advanceAsync(1_000);
    expect(told.take()).toEqual(["-a"]);
    server.answer([{ ...named("a", "1"), ttl: "10s" }]);
    server.answer([named("a", "1")]);
    await clock.advanceAsync(60_000);
    expect(told.take()).toEqual(["a=1"]);
  });

  it.each([
    [7, "denied", "-a"],
    [5, "none", "-a"],
    [14, "busy", undefined],
  ])("takes error %s for a resource as %s", async (code, message, line) => {
    const { server, told, client } = await watching(["a", "b"]);
    server.answer([named("b", "1")]);
    server.answer([], { extra: Buffer.concat(["a", "b"].map((name) => resourceError(mode, name, code, message))) });
    expect(told.take()).toEqual(["b=1", ...(line === undefined ? [] : [line])]);
    expect(client.status.resources).toMatchObject([
      { name: "a", state: "RECEIVED_ERROR", error: message },
      { name: "b", state: "RECEIVED_ERROR", error: message, bytes: thing("b", "1") },
    ]);
  });

  it("drops what is refused or denied, where the server says that this is meant", async () => {
    const { server, told } = await watching(["a", "b"], { failOnDataErrors: true });
    server.answer([named("a", "1"), named("b", "1")]);
    server.answer([named("a", "bad")]);
    server.answer([], { extra: resourceError(mode, "b", 7, "denied") });
    expect(told.take()).toEqual(["a=1 b=1", "-a", "-b"]);
  });

  it("tells a watcher that comes later what is known, but not from inside the call", async () => {
    const { server, client, type } = await watching(["a"]);
    server.answer([named("a", "1")]);
    const told = new Told();
    const watch = client.watch(type, { names: ["a"], onChanges: told.onChanges });
    expect(told.take()).toEqual([]);
    await settle();
    expect([told.take(), server.asked().length]).toEqual([["a=1"], 1]); // of the answer
    watch.close();
    server.answer([named("a", "2")]);
    expect(told.take()).toEqual([]);
  });

  it("goes on where a watcher fails", async () => {
    const { server, client, type, told, warnings } = await watching(["a"]);
    client.watch(type, {
      names: ["a"],
      onChanges: () => {
        throw new Error("oops");
      },
    });
    server.answer([named("a", "1")]);
    expect(told.take()).toEqual(["a=1"]);
    expect(warnings).toEqual(["whoever watches test.Thing failed: oops"]);
  });

  it("asks names of another authority of its servers, and says that there is none where nobody knows it", async () => {
    const other = new ScriptedServer("other:1");
    const servers = [{ transport: other, failOnDataErrors: false, slowIsNotAbsent: false }];
    const { server, told } = await watching(["a", "xdstp://other/test.Thing/b", "xdstp://none/test.Thing/c"], {
      authorities: new Map([["other", servers]]),
    });
    other.answer([named("xdstp://other/test.Thing/b", "1")]);
    server.answer([named("a", "2")]);
    expect(told.take()).toEqual(["-xdstp://none/test.Thing/c", "xdstp://other/test.Thing/b=1", "a=2"]);
  });

  it("falls back to the next server while something is missing, and leaves it when the first serves", async () => {
    const [first, second] = [new ScriptedServer("first:1"), new ScriptedServer("second:1")];
    first.away = true;
    const { told, clock, client } = await watching(["a"], {
      servers: [first, second].map((transport) => ({ transport, failOnDataErrors: false, slowIsNotAbsent: false })),
    });
    await clock.advanceAsync(1);
    second.answer([named("a", "2")]);
    expect([told.take(), client.status.server]).toEqual([["a=2"], "second:1"]);
    first.away = false;
    await clock.advanceAsync(40_000);
    expect([first.isOpen, second.isOpen, client.status.server]).toEqual([true, false, "first:1"]);
    first.away = true;
    first.cut();
    await clock.advanceAsync(40_000);
    expect([second.isOpen, client.status.state]).toEqual([false, "stale"]); // nothing is missing
  });

  it("leaves no timer behind", async () => {
    const { server, clock, client } = await watching(["a", "b"]);
    server.answer([{ ...named("a", ""), ttl: "10s" }]);
    await client.close();
    expect(clock.pending).toBe(0);
  });
});
