import { describe, expect, it } from "vitest";
import { parseDocuments } from "../document/parse-documents.js";
import { appendDocument, removeDocument, replaceDocument } from "./edit-policy-text.js";

const OPTIONS = { file: "shop.yaml", namespace: "default" };

const FILE = `# Shop: who goes where.
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}   # the canary
spec:
  hosts: [reviews]
  http:
    # everything else
    - route:
        - destination: {host: reviews, subset: v1}
          weight: 90
        - destination: {host: reviews, subset: v2}
          weight: 10   # watch the error rate
--- # ratings
apiVersion: v1
kind: Namespace
metadata:
    name:   shop
...
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: reviews
  namespace: shop
spec: {host: reviews}
`;

const REVIEWS = "VirtualService/shop/reviews";

function contentOf(text: string, key: string, options = OPTIONS): Readonly<Record<string, unknown>> {
  const document = parseDocuments(text, options).documents.find((found) => found.key === key);
  return document?.value ?? expect.fail(`no ${key} in ${text}`);
}

function keysOf(text: string | undefined, options = OPTIONS): string[] {
  return parseDocuments(text ?? "", options).documents.map(({ key }) => key);
}

describe("replaceDocument", () => {
  it("changes one scalar and nothing else in the file", () => {
    const value = contentOf(FILE.replace("weight: 90", "weight: 50").replace("weight: 10", "weight: 50"), REVIEWS);
    const edited = replaceDocument(FILE, REVIEWS, value, OPTIONS);
    const [before, after] = [FILE.split("\n"), edited?.split("\n") ?? []];
    expect(after.filter((line, index) => line.replace(/\s+/g, "") !== before[index]?.replace(/\s+/g, ""))).toEqual([
      "          weight: 50",
      "          weight: 50 # watch the error rate",
    ]);
    expect(edited?.slice(edited.indexOf("---"))).toBe(FILE.slice(FILE.indexOf("---")));
  });

  it.each([
    ["a field more", "  hosts: [reviews]", "  hosts: [reviews]\n  gateways: [mesh]"],
    ["a field less", "  hosts: [reviews]\n", ""],
    ["a list for a map", "{host: reviews, subset: v2}", "[1, {a: null}]"],
    ["a shorter list", "        - destination: {host: reviews, subset: v2}\n          weight: 10", ""],
    ["a longer list", "          weight: 10", "          weight: 10\n    - {name: 'x: y', route: []}"],
    ["a key like __proto__", "  hosts: [reviews]", "  __proto__: 1\n  hosts: [reviews]"],
    [
      "strings like numbers",
      "{name: reviews, namespace: shop}",
      "{name: reviews, namespace: shop, labels: {v: '1', on: 'yes'}}",
    ],
  ])("holds exactly the new value: %s", (_, old, young) => {
    const value = contentOf(FILE.replace(old, young), REVIEWS);
    const edited = replaceDocument(FILE, REVIEWS, value, OPTIONS) ?? "";
    expect(contentOf(edited, REVIEWS)).toEqual(value);
    expect(value).not.toEqual(contentOf(FILE, REVIEWS));
    expect(keysOf(edited)).toEqual(keysOf(FILE));
    expect(edited).toContain("# everything else");
  });

  it("writes a document with anchors and merge keys anew rather than wrongly", () => {
    const text = `apiVersion: v1
kind: Service
metadata: {name: a, namespace: shop}
x: &port {number: 80, name: http}
spec:
  ports:
    - <<: *port
      name: other
    - *port
`;
    const value = { ...contentOf(text, "Service/shop/a"), spec: { ports: [{ number: 81, name: "other" }] } };
    Reflect.deleteProperty(value, "x");
    const edited = replaceDocument(text, "Service/shop/a", value, OPTIONS) ?? "";
    expect(contentOf(edited, "Service/shop/a")).toEqual(value);
  });

  it("finds an item of a List, and a bare MeshConfig", () => {
    const list = `apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1 # one\n  kind: Namespace\n  metadata: {name: a}\n- {apiVersion: v1, kind: Namespace, metadata: {name: b}}\n`;
    const value = { ...contentOf(list, "Namespace/b/b"), metadata: { name: "b", labels: { x: "y" } } };
    const edited = replaceDocument(list, "Namespace/b/b", value, OPTIONS) ?? "";
    expect([contentOf(edited, "Namespace/b/b"), keysOf(edited)]).toEqual([value, ["Namespace/a/a", "Namespace/b/b"]]);
    expect(edited).toContain("# one");

    const mesh = { file: "mesh.yaml", namespace: "default" };
    const config = replaceDocument(
      "# ours\nconnectTimeout: 1s\n",
      "MeshConfig/istio-system/mesh",
      { connectTimeout: "2s" },
      mesh,
    );
    expect(config).toBe("# ours\nconnectTimeout: 2s\n");
  });

  it("keeps JSON as JSON and CRLF as CRLF", () => {
    const json = { file: "a.json", namespace: "default" };
    const text = JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: "a" } });
    const value = { apiVersion: "v1", kind: "Namespace", metadata: { name: "a", labels: { b: "c" } } };
    expect(JSON.parse(replaceDocument(text, "Namespace/a/a", value, json) ?? "")).toEqual(value);
    const crlf = "apiVersion: v1\r\nkind: Namespace\r\nmetadata:\r\n  name: a\r\n";
    const edited = replaceDocument(crlf, "Namespace/a/a", value, OPTIONS) ?? "";
    expect(edited.replaceAll("\r\n", "")).not.toContain("\n");
    expect(contentOf(edited, "Namespace/a/a")).toEqual(value);
  });

  it("is undefined for a key that the text does not hold", () => {
    expect(replaceDocument(FILE, "Service/shop/x", {}, OPTIONS)).toBeUndefined();
    expect(removeDocument(FILE, "Service/shop/x", OPTIONS)).toBeUndefined();
  });
});

describe("removeDocument", () => {
  it.each([["VirtualService/shop/reviews"], ["Namespace/shop/shop"], ["DestinationRule/shop/reviews"]])(
    "removes %s alone",
    (key) => {
      const left = removeDocument(FILE, key, OPTIONS);
      expect(keysOf(left)).toEqual(keysOf(FILE).filter((other) => other !== key));
      expect(parseDocuments(left ?? "", OPTIONS).readable).toBe(true);
    },
  );

  it("leaves nothing when the last document goes, comments aside", () => {
    let text: string | undefined = FILE;
    for (const key of keysOf(FILE)) text = removeDocument(text ?? "", key, OPTIONS);
    expect(text).toBe("");
  });

  it("removes items of a List one by one", () => {
    const list =
      "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: a}}\n- {apiVersion: v1, kind: Namespace, metadata: {name: b}}\n";
    const one = removeDocument(list, "Namespace/a/a", OPTIONS) ?? "";
    expect(keysOf(one)).toEqual(["Namespace/b/b"]);
    expect(removeDocument(one, "Namespace/b/b", OPTIONS)).toBe("");
  });
});

describe("appendDocument", () => {
  it.each(["", "# only a comment\n", FILE, FILE.trimEnd()])("adds one document to %j", (text) => {
    const value = { apiVersion: "v1", kind: "Namespace", metadata: { name: "new" } };
    expect(keysOf(appendDocument(text, value))).toEqual([...keysOf(text), "Namespace/new/new"]);
  });
});
