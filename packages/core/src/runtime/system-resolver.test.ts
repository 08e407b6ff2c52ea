import { createSocket, type Socket } from "node:dgram";
import type { LookupAddress } from "node:dns";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addressFamilies } from "./address-families.js";
import { systemResolver } from "./system-resolver.js";

const TYPES = new Map([
  [1, "A"],
  [28, "AAAA"],
]);

interface Record {
  readonly ttl: number;
  readonly data: readonly number[];
}
/** By `type name`. A number is the response code of a refusal. */
const zone: { readonly [question: string]: readonly Record[] | number } = {
  "A two.example": [
    { ttl: 300, data: [10, 0, 0, 1] },
    { ttl: 20, data: [10, 0, 0, 2] },
  ],
  "AAAA two.example": [{ ttl: 100, data: [0x20, 0x01, 0x0d, 0xb8, ...Array<number>(11).fill(0), 7] }],
  "A half.example": [{ ttl: 60, data: [10, 0, 0, 3] }],
  "AAAA half.example": 2,
  "A ill.example": 2,
  "AAAA ill.example": 2,
  "A pinned.example": [{ ttl: 60, data: [10, 0, 0, 4] }],
};

let server: Socket;
let directory: string;
const asked: string[] = [];
const looked: string[] = [];

/** RFC 1035 §4: header, the question again, the answers with a pointer to its name. */
function answer(query: Buffer): Buffer {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += length + 1;
  }
  const question = `${TYPES.get(query.readUInt16BE(at + 1))} ${labels.join(".")}`;
  asked.push(question);
  const found = zone[question] ?? (Object.keys(zone).some((key) => key.endsWith(` ${labels.join(".")}`)) ? [] : 3);
  const records = typeof found === "number" ? [] : found;
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8180 | (typeof found === "number" ? found : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  const answers = records.map(({ ttl, data }) => {
    const head = Buffer.from([0xc0, 12, query[at + 1]!, query[at + 2]!, 0, 1, 0, 0, 0, 0, 0, data.length]);
    head.writeUInt32BE(ttl, 6);
    return Buffer.concat([head, Buffer.from(data)]);
  });
  return Buffer.concat([header, query.subarray(12, at + 5), ...answers]);
}

beforeAll(async () => {
  server = createSocket("udp4");
  server.on("message", (query, from) => server.send(answer(query), from.port, from.address));
  server.bind(0, "127.0.0.1");
  await once(server, "listening");
  directory = await mkdtemp(join(tmpdir(), "inmesh-hosts-"));
  const hosts = "127.0.0.1 localhost loop # not other.example\n# 10.9.9.8 off.example\n10.9.9.9\tx Pinned.example\n";
  await writeFile(join(directory, "hosts"), `${hosts}::1 localhost\n`);
});
afterAll(async () => {
  server.close();
  await rm(directory, { recursive: true });
});

/** @param others what is known beside the name servers */
function resolve(name: string, others: { readonly [name: string]: readonly string[] | string } = {}) {
  asked.length = 0;
  looked.length = 0;
  const lookup = async (wanted: string): Promise<readonly LookupAddress[]> => {
    looked.push(wanted);
    const found = others[wanted] ?? "ENOTFOUND";
    if (typeof found === "string") throw Object.assign(new Error(`getaddrinfo ${found}`), { code: found });
    return found.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  };
  const servers = [`127.0.0.1:${server.address().port}`];
  const families = () => ({ v4: true, v6: true });
  return systemResolver({ servers, lookup, families, hostsFile: join(directory, "hosts") }).resolve(name);
}

describe("systemResolver", () => {
  it("gives all A and AAAA answers of the name servers, for as long as the shortest of them holds", async () => {
    expect(await resolve("two.example")).toEqual({
      addresses: ["10.0.0.1", "10.0.0.2", "2001:db8::7"],
      ttlMs: 20_000,
    });
    expect(looked).toEqual([]);
  });

  it("is content with one family when the other's query fails", async () => {
    expect(await resolve("half.example")).toEqual({ addresses: ["10.0.0.3"], ttlMs: 60_000 });
  });

  it("takes the hosts file's word before anybody else's, in any case, and asks nobody then", async () => {
    expect(await resolve("pinned.example")).toEqual({ addresses: ["10.9.9.9"], ttlMs: undefined });
    expect(await resolve("localhost")).toEqual({ addresses: ["127.0.0.1", "::1"], ttlMs: undefined });
    expect([asked, looked]).toEqual([[], []]);
  });

  it("reads no name out of a comment of the hosts file", async () => {
    expect(await resolve("other.example")).toEqual({ addresses: [], ttlMs: undefined });
    expect(await resolve("off.example")).toEqual({ addresses: [], ttlMs: undefined });
  });

  it("asks the system for what the name servers do not know, and never them for *.localhost", async () => {
    const found = { addresses: ["10.1.1.1"], ttlMs: undefined };
    expect(await resolve("db", { db: ["10.1.1.1"] })).toEqual(found);
    expect(asked.sort()).toEqual(["A db", "AAAA db"]);
    expect(await resolve("a.localhost", { "a.localhost": ["10.1.1.1"] })).toEqual(found);
    expect(asked).toEqual([]);
  });

  it("says that a name has no address only when everybody answered", async () => {
    expect(await resolve("nobody.example")).toEqual({ addresses: [], ttlMs: undefined });
    await expect(resolve("ill.example")).rejects.toMatchObject({ code: "ESERVFAIL" });
    await expect(resolve("nobody.example", { "nobody.example": "EAI_AGAIN" })).rejects.toThrow("EAI_AGAIN");
    expect(await resolve("ill.example", { "ill.example": ["10.2.2.2"] })).toMatchObject({ addresses: ["10.2.2.2"] });
  });
});

describe("addressFamilies", () => {
  const at = (address: string, internal = false) => ({
    ...{ address, internal, netmask: "", mac: "", cidr: null },
    ...(address.includes(":") ? { family: "IPv6" as const, scopeid: 0 } : { family: "IPv4" as const }),
  });

  it.each([
    ["IPv4 alone, link-local IPv6 not counted", [at("10.0.0.1"), at("fe80::1"), at("::1", true)], [true, false]],
    ["IPv6 alone", [at("127.0.0.1", true), at("2001:db8::1")], [false, true]],
    ["both", [at("10.0.0.1"), at("2001:db8::1")], [true, true]],
    ["both, where there is but loopback", [at("127.0.0.1", true)], [true, true]],
  ])("is %s", (_, addresses, [v4, v6]) => {
    expect(addressFamilies({ eth0: addresses })).toEqual({ v4, v6 });
  });
});
