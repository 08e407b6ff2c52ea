import { describe, expect, it } from "vitest";
import { called, IMPORT } from "./run.js";

const FORBIDDEN = Array(2).fill('Nock: Disallowed net connect for "echo:80/"');
const NOT_MATCHED = Array(2).fill("Nock: No match for request");
const NO_MOCK = Array(2).fill("UND_MOCK_ERR_MOCK_NOT_MATCHED");

/** Through http.get and fetch: what a mock answers is the mock's, what it lets through is meshed. */
const EXPECTED = {
  nock: {
    mocked: ["mock", "mock"],
    notMatched: NOT_MATCHED,
    otherHost: ["echo", "echo", "a body"],
    forbidden: FORBIDDEN,
  },
  msw: { mocked: ["mock", "mock"], notMatched: ["echo", "echo", "a body"] },
  "mock-agent": { mocked: ["mock", "mock"], notMatched: ["echo", "echo"], forbidden: NO_MOCK },
  sinon: { stubbed: true, calls: 1 },
};
type Mock = keyof typeof EXPECTED;

describe.concurrent.each(Object.keys(EXPECTED) as Mock[])("%s", (mock) => {
  it("decides first in a process started with --import, and leaves it meshed when it goes", async () => {
    const found = await called([...IMPORT, `fixtures/mocks/${mock}.mjs`]);
    expect(found).toMatchObject(EXPECTED[mock]);
    expect(new Set([(found as { restored: unknown }).restored].flat())).toEqual(new Set(["echo"]));
  });

  it("decides first when it was there before the mesh, which stays when it goes", async () => {
    const found = await called(["fixtures/mocks/late.mjs", `./${mock}.mjs`]);
    expect(found).toMatchObject(EXPECTED[mock]);
    expect(new Set([(found as { restored: unknown }).restored].flat())).toEqual(new Set(["echo"]));
  });
});
