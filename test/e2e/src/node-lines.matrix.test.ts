import { afterEach, describe, expect, it } from "vitest";
import { DevProcess, isAlive } from "./dev-process.js";
import { expectNoHarm } from "./no-harm.js";
import { NODE_LINES, nodeOfLine } from "./node-line.js";
import { count, isPage, readRequestLog } from "./request-log.js";

let dev: DevProcess | undefined;

afterEach(() => dev?.dispose());

/** bad-days.matrix.test.ts has longer ones, on the Node that runs the tests. */
const others = NODE_LINES.filter((line) => line.split(".")[0] !== process.versions.node.split(".")[0]);

describe.each(others)("on Node %s", (line) => {
  it("the bookshop survives its bad days", async (context) => {
    const node = await nodeOfLine(line);
    if (node === undefined) {
      console.warn(`SKIPPED: npx cannot have node@${line}, so the end-to-end test did not run on it`);
      return context.skip(`npx cannot have node@${line}`);
    }
    dev = new DevProcess(["dev", "-n", "shop", "--script", "test/e2e/fixtures/bad-days.mjs"], {
      node,
      env: { E2E_SHORT: "1", E2E_RATE: "60" },
    });
    const { code } = await dev.ended;
    expect(code, dev.text.slice(-3_000)).toBe(0);
    expect(dev.text).toContain(`node v${line}`);
    const log = readRequestLog(/^log (.*)$/m.exec(dev.text)?.[1] ?? "");
    expectNoHarm(log, ["calm", "kill", "rolling"]);
    const marias = log.requests.filter(
      (request) => request.phase === "calm" && isPage(request) && request.user === "maria",
    );
    expect(
      count(marias, ({ version }) => version !== "v2"),
      "maria's pages that v2 did not serve",
    ).toBe(0);
    expect(dev.pids.filter(isAlive)).toEqual([]);
  }, 170_000);
});
