import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { runCli, TemporaryFolder } from "./testing/run-cli.js";

/** As a user's program loads it; built by `npm test` before tests run. */
const REGISTER = fileURLToPath(new URL("../../node/dist/register.js", import.meta.url));

const REVIEWS = `import { createServer } from "node:http";
createServer((request, response) => {
  if (request.url === "/crash") {
    response.statusCode = 500;
    response.end("no", () => setTimeout(() => { throw new Error("the password is hunter2"); }, 100));
  } else {
    for (const until = Date.now() + 60; Date.now() < until; );
    response.end("ok");
  }
}).listen(0, "127.0.0.1");
`;
const WEB = `import { createServer } from "node:http";
createServer(async (request, response) => {
  const answer = await fetch("http://reviews" + request.url).catch(() => undefined);
  response.statusCode = answer?.status ?? 502;
  response.end(await answer?.text());
}).listen(0, "127.0.0.1", function () { process.send(this.address().port); });
`;

function start(cwd: string, file: string, service: string): ChildProcess {
  return spawn(process.execPath, ["--import", pathToFileURL(REGISTER).href, file], {
    ...{ cwd, timeout: 60_000, stdio: ["ignore", "ignore", "ignore", "ipc"] },
    env: {
      ...{ PATH: process.env["PATH"], INMESH_CONFIG: "mesh", INMESH_NAMESPACE: "shop", INMESH_SERVICE: service },
      ...{ INMESH_STATE_DIR: join(cwd, "state"), INMESH_IDENTITY: "off" },
    },
  });
}

interface Node {
  readonly process: string;
  readonly dump: string;
  readonly outcome: { readonly direction: string; readonly status: number; readonly httpRoute: string };
  readonly calls: readonly Node[];
  readonly served: readonly { readonly attempt: number; readonly node: Node }[];
}
interface Story {
  readonly roots: readonly Node[];
  readonly verdict: { readonly ok: boolean; readonly text: string; readonly process: string };
}

describe.runIf(existsSync(REGISTER))("with real processes", () => {
  it("tells a request's story over processes, of one that crashed and of one that has ended, too", async () => {
    using folder = new TemporaryFolder();
    const cwd = folder.path;
    folder.write("mesh/.keep", "");
    folder.write("reviews.mjs", REVIEWS);
    folder.write("web.mjs", WEB);
    const env = { INMESH_STATE_DIR: join(cwd, "state") };
    const [reviews, web] = [start(cwd, "reviews.mjs", "reviews"), start(cwd, "web.mjs", "web")];
    try {
      const [port] = (await once(web, "message")) as [number];
      const get = (path: string, traceId: string) =>
        fetch(`http://127.0.0.1:${port}${path}`, { headers: { traceparent: `00-${traceId}-${"b".repeat(16)}-01` } });
      await expect.poll(async () => (await get("/warm", "1".repeat(32))).status, { timeout: 20_000 }).toBe(200);
      const why = async (...id: string[]) => (await runCli(["why", ...id, "-o", "json"], { cwd, env })).json<Story>();

      const slow = "2".repeat(32);
      await (await get("/slow?token=hunter2", slow)).text();
      const { roots, verdict } = await why(slow);
      expect(roots).toHaveLength(1);
      expect(roots[0]).toMatchObject({ outcome: { direction: "inbound", status: 200 } });
      const served = roots[0]?.calls[0]?.served;
      expect(served).toMatchObject([{ attempt: 1, node: { outcome: { direction: "inbound", status: 200 } } }]);
      expect(verdict.ok).toBe(true);
      expect(verdict.process).toMatch(/^shop\/reviews/); // that is where the time went
      expect(verdict.text).toMatch(/spent in this process|stood still/);

      const crash = "3".repeat(32);
      await (await get("/crash", crash)).text();
      await once(reviews, "exit");
      const crashed = await why(crash);
      expect(crashed.roots[0]?.calls[0]?.served[0]?.node).toMatchObject({ dump: "crash", outcome: { status: 500 } });
      expect(crashed.verdict).toMatchObject({ ok: false, process: expect.stringMatching(/^shop\/reviews/) });

      web.kill("SIGTERM");
      await once(web, "exit");
      // All who remember it have ended; it is the last error all the same.
      const last = await why();
      expect(last.roots[0]).toMatchObject({ dump: "end", outcome: { status: 500 } });
      expect(last.roots[0]?.calls[0]?.served[0]?.node.dump).toBe("crash");
      expect(JSON.stringify([roots, crashed, last])).not.toContain("hunter2");
    } finally {
      for (const child of [reviews, web]) child.kill("SIGKILL");
    }
  }, 60_000);
});
