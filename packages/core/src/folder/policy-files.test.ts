import { parseDocuments } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { PolicyFiles } from "./policy-files.js";

const ns = (name: string, label = "x") =>
  `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}, labels: {a: ${label}}}\n`;

function setup() {
  const files = new PolicyFiles(parseDocuments, "default");
  const names = () => files.result.documents.map(({ name }) => name);
  const codes = () => files.result.problems.map(({ code }) => code);
  return { files, names, codes };
}

describe("PolicyFiles", () => {
  it("keeps the object of a document whose text and place did not change", () => {
    const { files } = setup();
    files.update("a.yaml", `${ns("one")}---\n${ns("two")}---\n${ns("three")}`);
    const before = files.result.documents;
    files.update("a.yaml", `${ns("one")}---\n${ns("two", "y")}---\n${ns("three")}`);
    const after = files.result.documents;
    expect(after.map((document, index) => document === before[index])).toEqual([true, false, true]);
  });

  it("makes a new object of a document that moved, so that its lines are right", () => {
    const { files } = setup();
    files.update("a.yaml", ns("one"));
    const before = files.result.documents[0];
    files.update("a.yaml", `# a comment more\n${ns("one")}`);
    const after = files.result.documents[0];
    expect([after === before, after?.hash === before?.hash, after?.origin.line]).toEqual([false, true, 2]);
    files.update("a.yaml", `# a comment more\n${ns("one").replace("kind", "\nkind")}`);
    expect(files.result.documents[0]?.origin.locate(["kind"]).line).toBe(4);
  });

  it("says that nothing changed when the text is the same", () => {
    const { files } = setup();
    files.update("a.yaml", ns("one"));
    const before = files.result;
    expect([files.update("a.yaml", ns("one")), files.result === before]).toEqual([false, true]);
  });

  it("keeps all documents of a file that is no YAML any more", () => {
    const { files, names, codes } = setup();
    files.update("a.yaml", `${ns("one")}---\n${ns("two")}`);
    const before = files.result.documents;
    files.update("a.yaml", `${ns("one", "z")}---\nkind:\n\t- tab`);
    expect([names(), codes()]).toEqual([["one", "two"], ["IM0001"]]);
    expect(files.result.documents).toEqual(before);
    files.update("a.yaml", ns("one"));
    expect([names(), codes()]).toEqual([["one"], []]);
  });

  it("keeps a document that vanished while another in its file cannot be identified", () => {
    const { files, names, codes } = setup();
    files.update("a.yaml", `${ns("one")}---\n${ns("two")}`);
    files.update("a.yaml", `${ns("one", "y")}---\n${ns("two").replace("name: two", "nmae: two")}`);
    expect([names(), codes()]).toEqual([["one", "two"], ["IM0002"]]);
    expect(files.result.documents[0]?.value["metadata"]).toMatchObject({ labels: { a: "y" } });
    files.update("a.yaml", ns("one", "y"));
    expect([names(), codes()]).toEqual([["one"], []]);
  });

  it("takes what it can of a file that was wrong from the start", () => {
    const { files, names, codes } = setup();
    files.update("a.yaml", `${ns("one")}---\nkind: Namespace\n`);
    files.update("b.yaml", "a: [");
    expect([names(), codes()]).toEqual([["one"], ["IM0002", "IM0001"]]);
  });

  it("keeps what a file said while it cannot be read, and says so once", () => {
    const { files, names, codes } = setup();
    files.update("a.yaml", ns("one"));
    expect(files.unreadable("a.yaml", "EACCES")).toBe(true);
    expect(files.unreadable("a.yaml", "EACCES")).toBe(false);
    expect([names(), codes()]).toEqual([["one"], ["IM0702"]]);
    expect(files.update("a.yaml", ns("one"))).toBe(true);
    expect(codes()).toEqual([]);
  });

  it("forgets the documents of a file that is gone", () => {
    const { files, names } = setup();
    files.update("a.yaml", ns("one"));
    files.update("b.yaml", ns("two"));
    files.remove("a.yaml");
    expect(names()).toEqual(["two"]);
  });

  it("names both places of a resource that is there twice, and follows the older", () => {
    const { files, names } = setup();
    const dated = (date: string) => ns("one").replace("labels", `creationTimestamp: "${date}", labels`);
    files.update("a.yaml", dated("2026-02-01T00:00:00Z"));
    files.update("b.yaml", `# moved\n${dated("2026-01-01T00:00:00Z")}`);
    files.update("c.yaml", ns("one"));
    expect(names()).toEqual(["one"]);
    expect(files.result.documents[0]?.origin.file).toBe("b.yaml");
    expect(files.result.problems).toEqual([
      expect.objectContaining({ code: "IM0701", file: "a.yaml", line: 1, resource: "Namespace/one/one" }),
      expect.objectContaining({ code: "IM0701", file: "c.yaml", message: expect.stringContaining("b.yaml:2") }),
    ]);
  });

  it("follows the first file in order of path when no date decides", () => {
    const { files } = setup();
    files.update("z.yaml", ns("one", "z"));
    files.update("a.yaml", ns("one", "a"));
    expect(files.result.documents.map(({ origin }) => origin.file)).toEqual(["a.yaml"]);
  });
});
