import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { MESH_ERRORS } from "../errors.js";
import { fakeRoute } from "../testing/fake-snapshot.js";
import { testEngine } from "../testing/test-engine.js";
import { ENTRY_ROLES, EXIT_ROLES, OUTBOUND } from "./outbound.js";

const page = readFileSync(new URL("../../../../docs/reference/lifecycle.md", import.meta.url), "utf8");
const picture = page.split("```")[1] ?? "";
const drawn = [...picture.matchAll(/^ {2}│ (\w+) /gm)].map(([, role]) => role);

/** Roles that act on each attempt, below the retry stage: those whose filter wraps the way down of attempts. */
function perAttempt(): string[] {
  const { engine } = testEngine();
  const route = fakeRoute("reviews", {
    retry: { on: ["5xx"], perTryTimeoutMs: 1 },
    timeoutMs: 10,
    rewrite: { endpointAuthority: true },
  });
  return OUTBOUND.flatMap((stage) => (stage.make(route, engine)?.attempt === undefined ? [] : stage.role));
}

describe("docs/reference/lifecycle.md", () => {
  it("draws every role of the stack, in the order in which calls pass them", () => {
    const exits = EXIT_ROLES.map(({ role }) => role);
    const onAttempts = perAttempt();
    const onCalls = OUTBOUND.map(({ role }) => role).filter((role) => !onAttempts.includes(role));
    expect(drawn).toEqual([
      ...ENTRY_ROLES.map(({ role }) => role),
      ...onCalls,
      ...exits.slice(0, -1),
      ...onAttempts,
      ...exits.slice(-1),
    ]);
  });

  it("names for every error code where calls leave with it", () => {
    const named = Object.keys(MESH_ERRORS).filter((code) => new RegExp(`\\b${code}\\b`).test(page));
    expect(named).toEqual(Object.keys(MESH_ERRORS));
  });
});
