import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseHcl, translateConfigEntries } from "@inmesh/consul/config-entry";
import { parseDocuments } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { CONSUL_SECTIONS } from "./consul-fields.js";
import { ROOT, readPages } from "./pages.js";

const FOLDER = join(ROOT, "packages", "consul");

describe("the support table of Consul's config entries", () => {
  it("shows a case for every field", () => {
    const missing = CONSUL_SECTIONS.flatMap(([, , fields]) => fields).filter(({ path, golden }) => {
      const file = join(FOLDER, "test", "golden", `${golden}.json`);
      const name = path.replaceAll("[]", "").split(".").at(-1) ?? "";
      return !existsSync(file) || !readFileSync(file, "utf8").includes(`"${name}"`);
    });
    expect(missing).toEqual([]);
  });

  it("has a row for every field that a reader of entries asks for", () => {
    const readers = ["read-resolver", "read-router", "read-defaults", "read-intentions"];
    const asked = readers.flatMap((name) => {
      const source = readFileSync(join(FOLDER, "src", "config-entry", `${name}.ts`), "utf8");
      const calls = source.matchAll(/\.(?:text|flag|number|durationMs|lists?|map|fields|optional)\("([A-Z]\w+)"/g);
      return Array.from(calls, ([, field = ""]) => field);
    });
    expect(asked.length).toBeGreaterThan(50);
    const text = JSON.stringify(CONSUL_SECTIONS);
    // Parts of a row that stands for the whole block, and the older list of intentions.
    const parts =
      /^(HTTP|Present|Exact|Name|Address|Addresses|Port|Prefix|Regex|IgnoreCase|Add|Set|Remove|Field\w*|CookieConfig|Session|TTL|Path|SourceIP|Mode|Max\w+|Interval|\w*Eject\w*|SourceName|SourcePeer|DestinationName|SamenessGroup)$/;
    expect(asked.filter((field) => !parts.test(field) && !new RegExp(`\\b${field}\\b`).test(text))).toEqual([]);
  });
});

describe("the guide from Consul Connect", () => {
  it("shows entries, and below them the resources that they become", () => {
    const page = readPages().find(({ path }) => path.endsWith("from-consul-connect.md"));
    const entries = (page?.blocks ?? []).filter(({ language }) => language === "hcl").map(({ text }) => parseHcl(text));
    expect(entries).toHaveLength(2);
    const made = translateConfigEntries({ entries, services: [], namespace: "default", datacenter: "dc1" });
    const shown = page?.blocks.find(({ language }) => language === "yaml")?.text ?? "";
    const { documents } = parseDocuments(shown, { file: "page.yaml" });
    const plain = (value: unknown): unknown =>
      JSON.parse(JSON.stringify(value, (key, each) => (key === "exportTo" ? undefined : each)));
    expect(documents.map(({ key, value }) => [key, plain(value)])).toEqual(
      made.documents.map(({ key, value }) => [key, plain(value)]),
    );
  });
});
