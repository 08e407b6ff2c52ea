/**
 * A container with a read-only disk, and a user who may write nowhere and has no home: policy is read, calls and servers
 * work, one line says the rest.
 */

import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ALL_MESHED, IMPORT, leasesOf, run, temporary } from "./run.js";

const SERVICE = "fixtures/disk/service.mjs";
const WORKS = { ...ALL_MESHED, served: "served" };
const ROOT = process.getuid?.() === 0;
const NOBODY = "54321"; // in no list of users
/** What does not work, in one line; and, in a line of its own, since it is about security, that calls are in plaintext. */
const WARNINGS =
  /^inmesh: this process has no identity and calls in plaintext: [^\n]*INMESH_IDENTITY[^\n]*\ninmesh: nothing can be written, [^\n]*calls and servers work; [^\n]*INMESH_STATE_DIR[^\n]*INMESH_LEASE=never[^\n]*\n$/;

/** A registry with one rule, which says where `echo` is: leases of another user are not for everyone's eyes. */
function registry(): string {
  const folder = join(temporary(), "mesh");
  const port = /"http": (\d+)/.exec([...leasesOf("echo").values()].join())?.[1];
  mkdirSync(folder);
  writeFileSync(
    join(folder, "echo.yaml"),
    `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: echo }
spec:
  hosts: [echo]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { http: ${port} } }]
`,
  );
  chmodSync(join(folder, ".."), 0o755);
  return folder;
}

/** The service as a container runs it, and what it wrote until it had drained: the state is saved then at the latest. */
async function serve(before: readonly string[], env: Readonly<Record<string, string | undefined>>) {
  const [command = "", ...args] = [...before, process.execPath, ...IMPORT, SERVICE];
  const nowhere = { HOME: undefined, TMPDIR: "/dev/null", INMESH_PROPAGATION_DELAY_MS: "0" };
  const service = run(args, { command, env: { ...nowhere, INMESH_SERVICE: "sealed", ...env } });
  const found = JSON.parse(await service.printed(/called (.*)/)) as unknown;
  service.child.kill("SIGTERM");
  return { found, ...(await service.ended), errors: service.errors() };
}

describe("a disk that takes nothing", () => {
  it("on a read-only mount everything works, and two lines say what does not: nothing is kept, and no certificate can be had", async (context) => {
    if (!ROOT) return context.skip("only root mounts");
    const folder = registry();
    mkdirSync(join(folder, ".workloads"), { mode: 0o700 });
    const seal = `mount --bind ${folder} ${folder} && mount -o remount,ro,bind ${folder} && exec "$@"`;
    const ended = await serve(["unshare", "-m", "sh", "-c", seal, "sh"], {
      INMESH_CONFIG: folder,
      INMESH_STATE_DIR: join(folder, "state"),
    });
    expect(ended).toEqual({ found: WORKS, code: null, signal: "SIGTERM", errors: expect.stringMatching(WARNINGS) });
    expect(leasesOf("sealed", folder).size).toBe(0);
  });

  it("a user without a name, a home or a place to write is served all the same", async () => {
    const folder = registry();
    chmodSync(folder, 0o555);
    const nobody = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"];
    const home = ROOT ? {} : { XDG_CACHE_HOME: join(folder, "cache") };
    const ended = await serve(ROOT ? nobody : ["env"], { INMESH_CONFIG: folder, ...home });
    expect(ended).toEqual({ found: WORKS, code: null, signal: "SIGTERM", errors: expect.stringMatching(WARNINGS) });
    chmodSync(folder, 0o755);
  });

  it("says nothing about a lease that nobody wants", async () => {
    const folder = registry();
    const { found, errors } = await serve(["env"], { INMESH_CONFIG: folder, INMESH_LEASE: "never", HOME: temporary() });
    expect([found, errors, leasesOf("sealed", folder).size]).toEqual([WORKS, "", 0]);
  });

  it("without any registry calls go out as they would without a mesh", async () => {
    const options = { INMESH_CONFIG: undefined, HOME: "/dev/null" };
    const { found, errors } = await serve(["env"], options);
    expect(found).toMatchObject({ served: "served", fetch: expect.stringContaining("ENOTFOUND echo") });
    expect(errors).toMatch(/^inmesh: there is no registry: [^\n]*INMESH_CONFIG[^\n]*\n$/);
  });
});
