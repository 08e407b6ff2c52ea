import { parseDocuments, validateDocument } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import type { LeaseSpec } from "../snapshot/source.js";
import { lease } from "../testing/registry-cases.js";
import { formatLease, isStampOf, leaseNameOf, readLease, readSequence, stampOf } from "./lease-file.js";

const MACHINE = { host: "here", started: "4711" };

function roundTrip(spec: LeaseSpec) {
  const text = formatLease(spec, 7, MACHINE);
  const { documents, problems } = parseDocuments(text, { file: "x.yaml", namespace: spec.namespace });
  expect(problems).toEqual([]);
  return { text, document: documents[0], record: readLease("shop.reviews.a", documents[0]) };
}

describe("a lease file", () => {
  it.each<[string, Partial<LeaseSpec>]>([
    ["everything", {}],
    ["no ports and no labels", { ports: [], labels: {} }],
    ["strings that YAML would read otherwise", { labels: { a: "yes", b: "1", c: "null", d: "~", e: "0x1F", f: "" } }],
    [
      "strings with quotes, colons and line ends",
      { labels: { "a: b": '"c"', "#d": "e\n- f", "{g}": "\u2028\u0085\t" } },
    ],
    ["a label called __proto__", { labels: JSON.parse('{"__proto__":"x","constructor":"y"}') }],
    [
      "ports in order of listening",
      {
        ports: [
          { number: 9000, name: "z" },
          { number: 80, name: "a" },
          { number: 443, name: "m" },
        ],
      },
    ],
    ["an IPv6 address", { address: "::1" }],
    ["a weight and tags", { weight: 5, tags: ["a", "b: c"] }],
  ])("says all of its lease again: %s", (_, change) => {
    const spec = { ...lease("a"), ...change };
    const { record } = roundTrip(spec);
    expect(record).toMatchObject({ host: "here", started: "4711" });
    const read = typeof record === "string" ? expect.fail(record) : record.lease;
    expect({ ...read, labels: Object.entries(read.labels) }).toEqual({
      ...spec,
      name: "shop.reviews.a",
      labels: Object.entries(spec.labels),
    });
  });

  it("is a WorkloadEntry that Istio's schema accepts", () => {
    const { document } = roundTrip(lease("a"));
    expect(document && validateDocument(document).problems).toEqual([]);
  });

  it("names a port that has no usable name after its number", () => {
    const ports = ["", "80", "http", "http"].map((name, index) => ({ number: 8000 + index, name }));
    const { record } = roundTrip({ ...lease("a"), ports });
    expect(record).toMatchObject({
      lease: {
        ports: [
          { number: 8000, name: "port-8000" },
          { number: 8001, name: "port-8001" },
          { number: 8002, name: "http" },
          { number: 8003, name: "port-8003" },
        ],
      },
    });
  });

  it("leaves out what a lease need not have", () => {
    const { admin: _, locality: __, serviceAccount: ___, ...bare } = lease("a");
    const { record } = roundTrip(bare);
    const found = typeof record === "string" ? expect.fail(record) : record.lease;
    expect(Object.keys(found)).not.toEqual(expect.arrayContaining(["admin"]));
    expect([found.locality, found.serviceAccount]).toEqual([undefined, undefined]);
  });

  it("is read although a newer version added fields and annotations", () => {
    const text = formatLease({ ...lease("a"), schemaVersion: 99 }, 7, MACHINE)
      .replace("  annotations:\n", '  annotations:\n    inmesh.dev/mood: "good"\n')
      .replace("spec:\n", "spec:\n  colour: blue\n");
    const record = readLease("shop.reviews.a", parseDocuments(text, { file: "x" }).documents[0]);
    expect(record).toMatchObject({ lease: { schemaVersion: 99, address: "127.0.0.1" } });
  });

  it.each([
    ["another kind", "kind: WorkloadEntry", "kind: ServiceEntry", /no WorkloadEntry/],
    ["another service inside", 'service: "reviews"', 'service: "ratings"', /differs/],
    ["another namespace inside", 'namespace: "shop"', 'namespace: "bank"', /differs/],
    ["no address", 'address: "127.0.0.1"', 'address: ""', /address/],
    ["a port that is none", '"http": 8080', '"http": 80800', /port/],
    ["a pid that would name a process group", /pid: "\d+"/, 'pid: "-1"', /process id/],
    ["a pid that is no number", /pid: "\d+"/, 'pid: "x"', /process id/],
    ["a lifetime that is none", 'ttl-ms: "15000"', 'ttl-ms: "-5"', /ttl-ms/],
  ])("is left out with a reason: %s", (_, old, young, reason) => {
    const text = formatLease(lease("a"), 7, MACHINE).replace(old, young);
    expect(readLease("shop.reviews.a", parseDocuments(text, { file: "x" }).documents[0])).toMatch(reason);
  });

  it.each([
    ["0.001", 1_000],
    ["99999999999", 600_000],
  ])("lives within bounds, whatever it says: %s ms", (said, expected) => {
    const text = formatLease(lease("a"), 7, MACHINE).replace('"15000"', `"${said}"`);
    const record = readLease("shop.reviews.a", parseDocuments(text, { file: "x" }).documents[0]);
    expect(record).toMatchObject({ lease: { ttlMs: expected } });
  });

  it.each([
    ["shop.reviews.a.yaml", "shop.reviews.a"],
    ["reviews.a.yaml", undefined],
    ["a.b.c.d.yaml", undefined],
    [".shop.reviews.a.yaml.12.inmesh-tmp", undefined],
    ["shop.reviews.A.yaml", undefined],
    ["shop.reviews..yaml", undefined],
    ["shop.reviews.a.yml", undefined],
  ])("is known by its name: %s", (file, name) => {
    expect(leaseNameOf(file)).toBe(name);
  });

  it("tells by the time of its change which text it holds", () => {
    expect(readSequence(formatLease(lease("a"), 1_007, MACHINE))).toBe(1_007);
    expect(readSequence("kind: x")).toBe(-1);
    const at = stampOf(1_007, Date.UTC(2026, 0, 1, 0, 0, 5, 999));
    expect([at % 1_000, isStampOf(1_007, at), isStampOf(1_008, at), isStampOf(7, at - 0.0003)]).toEqual([
      7,
      true,
      false,
      true,
    ]);
  });
});
