import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { MESH_ERRORS, MeshError, type MeshErrorCode } from "./errors.js";

const page = readFileSync(new URL("../../../docs/reference/errors.md", import.meta.url), "utf8");
const CODES = Object.keys(MESH_ERRORS) as MeshErrorCode[];

describe("docs/reference/errors.md", () => {
  it("shows the table of the code, line by line", () => {
    const rows = page.split("\n").filter((line) => line.startsWith("| `"));
    const expected = CODES.map((code) => {
      const { meaning, status, grpcStatus, retryable, flag, details } = MESH_ERRORS[code];
      return `| \`${code}\` | ${meaning} | ${status || "-"} | ${grpcStatus} | ${retryable ? "yes" : "no"} | ${flag} | \`${details}\` |`;
    });
    expect(rows).toEqual(expected);
  });

  it("says for every code what to do about it", () => {
    expect([...page.matchAll(/^- \*\*([A-Z_]+)\*\*: /gm)].map(([, code]) => code)).toEqual(CODES);
  });
});

describe("MeshError", () => {
  it.each(CODES)("%s has a meaning in lower case, a sensible status and a gRPC status", (code) => {
    const { meaning, status, grpcStatus, flag } = MESH_ERRORS[code];
    expect(meaning).toMatch(/^[a-z].*[^.]$/);
    expect(status === 0 || (status >= 400 && status < 600)).toBe(true);
    expect(grpcStatus > 0 && grpcStatus <= 16).toBe(true);
    expect(flag).toMatch(/^([A-Z]{2,5}|-)$/);
  });

  it("carries code, place and cause, and ends its message with the code", () => {
    const cause = new Error("ECONNREFUSED");
    const error = new MeshError("CONNECT_FAILED", "could not connect", {
      cluster: "c",
      attempt: 2,
      origin: "remote",
      cause,
    });
    expect(error.message).toBe("could not connect (CONNECT_FAILED)");
    expect(error).toMatchObject({
      name: "MeshError",
      code: "CONNECT_FAILED",
      status: 503,
      origin: "remote",
      cluster: "c",
      route: undefined,
      endpoint: undefined,
      attempt: 2,
      cause,
      flag: "UF",
      retryable: true,
      details: "upstream_reset_before_response_started{connection_failure}",
    });
  });

  it("has no cause of its own making, and is local unless told", () => {
    const error = new MeshError("TIMEOUT", "late");
    expect([Object.hasOwn(error, "cause"), error.origin]).toEqual([false, "local"]);
  });

  it("lets policy name the status of an injected abort", () => {
    expect(new MeshError("FAULT_ABORTED", "on purpose", { status: 418 }).status).toBe(418);
  });

  it("knows the errors of another copy of the package, and nothing else", () => {
    const foreign = Object.assign(new Error("x"), { [Symbol.for("inmesh.MeshError")]: true });
    expect(foreign).toBeInstanceOf(MeshError);
    for (const other of [new Error("x"), {}, null, undefined, "MeshError"]) expect(other).not.toBeInstanceOf(MeshError);
  });
});
