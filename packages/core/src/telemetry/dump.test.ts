import { expect, it } from "vitest";
import type { OutcomeView } from "../admin/outcome-view.js";
import { type Dump, dumpText, MOST_DUMP_BYTES, parseDump } from "./dump.js";

const OUTCOME = {
  ...{ direction: "outbound", wallMs: 1, durationMs: 2, attempts: [], ledger: {}, host: "reviews", traceId: "t" },
} as unknown as OutcomeView;
const DUMP: Dump = {
  ...{ namespace: "shop", service: "web", instance: "1", pid: 7, cause: "crash", reason: "boom", at: 5 },
  outcomes: [OUTCOME, { ...OUTCOME, wallMs: 0 }],
};

it("reads what it wrote", () => {
  expect(parseDump(dumpText(DUMP))).toEqual(DUMP);
});

it("takes what is left of a dump that was cut off, and nothing of what is none", () => {
  expect(parseDump(dumpText(DUMP).slice(0, -10))?.outcomes).toEqual([OUTCOME]);
  for (const text of ["", "{}", "null", '{"format":"inmesh-recorder-2"}', "[1"])
    expect(parseDump(text)).toBeUndefined();
  const [head = ""] = dumpText(DUMP).split("\n");
  expect(parseDump(`${head}\n{}\nnull\n5\n{"direction":"inbound"}\n`)?.outcomes).toEqual([]);
});

it("has a size, and keeps the newest", () => {
  const message = "ü".repeat(100_000);
  const text = dumpText({
    ...DUMP,
    outcomes: Array.from({ length: 100 }, (_, at) => ({ ...OUTCOME, message, wallMs: at })),
  });
  expect(Buffer.byteLength(text)).toBeLessThan(MOST_DUMP_BYTES);
  expect(parseDump(text)?.outcomes.map(({ wallMs }) => wallMs)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
