import { describe, expect, it } from "vitest";
import { documentFromValue, NO_ORIGIN, parseDocuments } from "./parse-documents.js";
import { stringifyDocument } from "./stringify-document.js";

const NETWORKING = "apiVersion: networking.istio.io/v1";

function parse(text: string, file = "policy.yaml") {
  const { documents, problems, readable } = parseDocuments(text, { file, namespace: "shop" });
  return { documents, problems, readable, keys: documents.map(({ key }) => key) };
}

/** `code severity line:column message` of the only problem. */
function onlyProblem(text: string, file?: string) {
  const { problems, keys } = parse(text, file);
  expect(problems).toHaveLength(1);
  expect(keys).toEqual([]);
  const problem = problems[0]!; // length checked
  expect(problem.file).toBe(file ?? "policy.yaml");
  return { ...problem, at: `${problem.line}:${problem.column}` };
}

describe("parseDocuments", () => {
  it("reads several documents and Lists, with namespaces and starting lines", () => {
    const { documents, problems } = parse(`# comment
${NETWORKING}
kind: VirtualService
metadata: {name: a, namespace: other}
---
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Service, metadata: {name: b}}
- {apiVersion: v1, kind: Namespace, metadata: {name: c, labels: {team: x}}}
---
apiVersion: inmesh.dev/v1alpha1
kind: MeshMode
metadata: {name: d}
`);
    expect(problems).toEqual([]);
    expect(documents.map(({ key, origin }) => `${key}@${origin.line}`)).toEqual([
      "VirtualService/other/a@2",
      "Service/shop/b@10",
      "Namespace/c/c@11",
      "MeshMode/shop/d@13",
    ]);
  });

  it.each(["v1", "v1beta1", "v1alpha3"])("takes networking.istio.io/%s", (version) => {
    expect(parse(`apiVersion: networking.istio.io/${version}\nkind: Sidecar\nmetadata: {name: a}`).keys).toEqual([
      "Sidecar/shop/a",
    ]);
  });

  it("reads JSON, indented with tabs too", () => {
    const text = JSON.stringify({ apiVersion: "v1", kind: "Service", metadata: { name: "a" } }, null, "\t");
    expect(parse(text, "a.json").keys).toEqual(["Service/shop/a"]);
  });

  it.each(["mesh.yaml", "sub/mesh.yml", "mesh.json"])(
    "reads %s as a bare MeshConfig, even one that looks empty",
    (file) => {
      expect(parse("rootNamespace: root", file).keys).toEqual(["MeshConfig/root/mesh"]);
      expect(parse("{}", file).keys).toEqual(["MeshConfig/istio-system/mesh"]);
      expect(parse("# nothing", file).keys).toEqual([]);
    },
  );

  it("reads a bare MeshConfig nowhere else", () => {
    expect(onlyProblem("rootNamespace: root", "settings.yaml").message).toContain("mesh.yaml");
  });

  it.each(["", "\n", "# only a comment", "---\n---\n", "\ufeff"])("finds nothing, and nothing wrong, in %j", (text) => {
    expect(parse(text)).toEqual({ documents: [], problems: [], readable: true, keys: [] });
  });

  it.each([
    ["a tab", "a: 1\n\tb: 2\n", "2:1", "spaces"],
    ["a key twice", "a: 1\na: 2\n", "2:1", "Keep one of the two"],
    ["an open bracket", "a: [1, 2\n", "2:1", "Close"],
    ["an open quote", 'a: "x\n', "2:1", "Close"],
    ["a foreign tag", "a: !foo 1", "1:4", "tag"],
    ["bad indentation", "a:\n  b: 1\n c: 2\n", "3:1", "neighbours"],
  ])("says where %s is and how to go on, and reads nothing of the file", (_, text, at, advice) => {
    const found = parse(`${NETWORKING}\nkind: Sidecar\nmetadata: {name: a}\n---\n${text}`);
    const [line = 0, column = 0] = at.split(":").map(Number);
    expect(found.problems[0]).toMatchObject({ code: "IM0001", severity: "error", line: line + 4, column });
    expect(found.problems[0]?.message).toContain(advice);
    expect([found.readable, found.keys]).toEqual([false, []]);
  });

  it.each([
    ["a list", "- a", "found a list"],
    ["a word", "hello", 'found "hello"'],
    ["no kind", NETWORKING, "no kind"],
    ["no apiVersion", "kind: Sidecar", "no apiVersion"],
    ["a number as kind", `${NETWORKING}\nkind: 3`, "kind is 3"],
    ["no name", `${NETWORKING}\nkind: Sidecar`, "without a name"],
    ["a number as name", `${NETWORKING}\nkind: Sidecar\nmetadata: {name: 7}`, "metadata.name 7"],
    [
      "an unknown version",
      "apiVersion: networking.istio.io/v2\nkind: Sidecar\nmetadata: {name: a}",
      "networking.istio.io/v1beta1",
    ],
    [
      "a kind in a foreign group",
      "apiVersion: v1\nkind: Sidecar\nmetadata: {name: a}",
      'belongs to "networking.istio.io/v1"',
    ],
  ])("refuses a document that is %s", (_, text, fact) => {
    const problem = onlyProblem(text);
    expect(problem).toMatchObject({ code: "IM0002", severity: "error" });
    expect(problem.message).toContain(fact);
    expect(problem.line).toBeGreaterThan(0);
  });

  it.each([
    ["gateway.networking.k8s.io/v1", "BackendTLSPolicy", "error", "nothing it demands is enforced"],
    ["gateway.networking.k8s.io/v1", "TLSRoute", "warning", "does not honour"],
    ["networking.istio.io/v1alpha3", "EnvoyFilter", "warning", "does not honour"],
    ["networking.istio.io/v1", "Gateway", "warning", "does not honour"],
    ["apps/v1", "Deployment", "warning", "does not read"],
    ["serving.knative.dev/v1", "Service", "warning", "does not read"],
    ["networking.istio.io/v1", "VirtualServce", "error", "Did you mean VirtualService?"],
    ["security.istio.io/v1", "AuthorisationPolicy", "error", "Did you mean AuthorizationPolicy?"],
    ["constructor/v1", "toString", "warning", "does not read"],
  ])("tells that it takes no %s %s", (apiVersion, kind, severity, fact) => {
    const problem = onlyProblem(`apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: a}`);
    expect(problem).toMatchObject({ severity, at: "2:1", resource: `${kind}/shop/a` });
    expect(problem.message).toContain(fact);
  });
});

describe("the data of a document", () => {
  const head = `${NETWORKING}\nkind: VirtualService\nmetadata: {name: a}\n`;

  it("has no prototypes, so keys such as __proto__ and constructor are only keys", () => {
    const { documents } = parse(
      `${head}spec:\n  __proto__: {polluted: true}\n  constructor: {prototype: {polluted: true}}\n`,
    );
    const spec = documents[0]?.value["spec"] as Record<string, unknown>;
    expect(Object.getPrototypeOf(spec)).toBeNull();
    expect(Object.keys(spec)).toEqual(["__proto__", "constructor"]);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  it("reads YAML 1.2: yes, no, on and off are words, 010 is ten, and keys are strings", () => {
    const { documents } = parse(
      `${head}spec: {a: yes, b: off, c: 010, d: 0o10, 80: x, true: y, e: ~, f: 2026-01-31}\n`,
    );
    expect({ ...(documents[0]?.value["spec"] as object) }).toEqual({
      a: "yes",
      b: "off",
      c: 10,
      d: 8,
      "80": "x",
      true: "y",
      e: null,
      f: "2026-01-31",
    });
  });

  it("resolves aliases into copies, and << as YAML 1.1 does: written fields win, then the first source", () => {
    const { documents, problems } = parse(`x: &x {a: 1, b: 1}
y: &y {b: 2, c: 2}
one: {<<: *x, b: 9}
two: {<<: [*x, *y]}
three: *x
"<<": {a: 5}
${head}`);
    expect(problems).toEqual([]);
    const { value } = documents[0]!; // no problems
    expect(JSON.parse(JSON.stringify([value["one"], value["two"], value["three"], value["<<"]]))).toEqual([
      { b: 9, a: 1 },
      { a: 1, b: 1, c: 2 },
      { a: 1, b: 1 },
      { a: 5 },
    ]);
    expect(value["three"]).not.toBe(value["x"]);
  });

  const bomb = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
  for (const [name, inner] of ["ba", "cb", "dc", "ed", "fe", "gf"])
    bomb.push(`${name}: &${name} [${Array(10).fill(`*${inner}`).join()}]`);

  it.each([
    ["an alias bomb", bomb.join("\n"), "expand to more than"],
    ["an alias without anchor", "a: *b", "no anchor"],
    ["an alias in its own value", "a: &a [*a]", "contains it"],
    ["nesting past 64 levels", `a: ${"[".repeat(70)}${"]".repeat(70)}`, "deeper than 64"],
    ["a list as a key", "? [a]\n: 1", "a key is a list"],
    ["a merge of a word", "<<: word", '"<<" needs an object'],
    ["a key that is one number and one string", '80: 1\n"80": 2', "twice"],
  ])("is refused for %s, but its neighbours are not", (_, text, fact) => {
    const { problems, keys, readable } = parse(`${text}\n---\n${head}`);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.message).toContain(fact);
    expect(problems[0]?.line).toBeGreaterThan(0);
    expect([keys, readable]).toEqual([["VirtualService/shop/a"], true]);
  });

  it.each([
    ["brackets", "[".repeat(50_000)],
    ["one line of a million characters", `${head}spec: {x: "${"y".repeat(1e6)}"\n`],
    ["a million characters of nothing", `${" ".repeat(1e6)}: a: b`],
  ])("is refused in few words for %s", (_, text) => {
    const { problems, readable } = parse(text);
    expect(readable).toBe(false);
    expect(problems.length).toBeLessThanOrEqual(5);
    for (const problem of problems) expect(problem.message.length).toBeLessThan(400);
  });

  it("may hold a line of a million characters", () => {
    const { documents } = parse(`${head}spec: {x: "${"y".repeat(1e6)}"}\n`);
    expect(documents[0]!.value["spec"]).toEqual({ x: "y".repeat(1e6) }); // written just above
  });
});

describe("origin.locate", () => {
  const { documents } = parse(`${NETWORKING}
kind: VirtualService
metadata: {name: a}
---
${NETWORKING}
kind: List
items:
- ${NETWORKING}
  kind: VirtualService
  metadata:
    name: b
  spec:
    hosts: &hosts [x]
    http:
    - timeout: 5s
      route: [{destination: {host: y}}, {weight: 1}]
    - match: *hosts
`);
  const at = (...path: (string | number)[]) => {
    const { line, column } = documents[1]!.origin.locate(path); // two documents above
    return `${line}:${column}`;
  };

  it("points to keys and items, through aliases, and to the nearest ancestor of what is not there", () => {
    expect(at("spec", "http", 0, "timeout")).toBe("15:7");
    expect(at("spec", "http", 0, "route", 1)).toBe("16:41");
    expect(at("spec", "http", 0, "route", 1, "weight")).toBe("16:42");
    expect(at("spec", "http", 0, "retries", "attempts")).toBe("15:7");
    expect(at("spec", "http", 7)).toBe("14:5");
    expect(at("spec", "http", 1, "match", 0)).toBe("13:20");
    expect(at()).toBe("8:3");
  });
});

describe("hash", () => {
  const hashOf = (text: string) => parse(text).documents[0]?.hash;
  const base = `${NETWORKING}\nkind: VirtualService\nmetadata: {name: a}\nspec: {hosts: [x, y], http: [{timeout: 5s}]}\n`;

  it("ignores order of keys, comments, layout and status", () => {
    const other = `# hello\nkind: "VirtualService"\n${NETWORKING}\nstatus: {x: 1}\nspec:\n  http:\n  - timeout: 5s # five\n  hosts:\n  - x\n  - y\nmetadata:\n  name: a\n`;
    expect(hashOf(other)).toBe(hashOf(base));
    expect(hashOf(base)).toMatch(/^[0-9a-f]{32}$/);
  });

  it.each([
    ["a value", "5s", "6s"],
    ["the order of a list", "x, y", "y, x"],
    ["a type", "5s", "5"],
    ["null for nothing", "[{timeout: 5s}]", "null"],
    ["infinity for null", "[{timeout: 5s}]", ".inf"],
  ])("changes with %s", (_, from, to) => {
    expect(hashOf(base.replace(from, to))).not.toBe(hashOf(base));
  });
});

describe("documentFromValue", () => {
  const value = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "a", labels: undefined },
    spec: { ports: [{ port: 80 }] },
  };

  it("copies a value, and hashes it as the same text", () => {
    const { documents, problems } = documentFromValue(value, { namespace: "shop" });
    expect(problems).toEqual([]);
    expect(documents[0]).toMatchObject({ key: "Service/shop/a", origin: NO_ORIGIN });
    expect(documents[0]?.hash).toBe(parse(JSON.stringify(value)).documents[0]?.hash);
    expect(documents[0]?.value["spec"]).not.toBe(value.spec);
  });

  it("refuses what is no data", () => {
    const loop: Record<string, unknown> = { ...value };
    loop["spec"] = loop;
    for (const bad of [loop, { ...value, spec: () => 1 }, { ...value, spec: 1n }, null, 5]) {
      const { documents, problems } = documentFromValue(bad);
      expect([documents.length, problems.length]).toEqual([0, 1]);
    }
  });

  it("takes a MeshConfig that names its kind", () => {
    const { documents } = documentFromValue({
      apiVersion: "mesh.istio.io/v1alpha1",
      kind: "MeshConfig",
      trustDomain: "td",
    });
    expect(documents[0]?.key).toBe("MeshConfig/istio-system/mesh");
    expect({ ...documents[0]?.value }).toEqual({ trustDomain: "td" });
  });
});

describe("stringifyDocument", () => {
  it("writes what reads back as the same, in the usual order of keys and without anchors", () => {
    const shared = { a: "yes", b: "5", c: null, d: "line\nbreak ".repeat(20), "80": true };
    const value = {
      spec: { one: shared, two: shared },
      kind: "Sidecar",
      metadata: { name: "a" },
      apiVersion: "networking.istio.io/v1",
    };
    const text = stringifyDocument(value);
    expect(
      text
        .split("\n")
        .filter((line) => /^\w/.test(line))
        .map((line) => line.split(":")[0]),
    ).toEqual(["apiVersion", "kind", "metadata", "spec"]);
    expect(text).not.toMatch(/[&*]a1/);
    expect(parse(text).documents[0]?.hash).toBe(documentFromValue(value).documents[0]?.hash);
  });
});
