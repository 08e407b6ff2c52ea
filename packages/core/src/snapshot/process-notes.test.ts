import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ProcessNotes, readProcessNotes } from "./process-notes.js";

const REGISTRY = "xds://istiod:15010";
const LEASE = {
  ...{
    namespace: "shop",
    service: "web",
    instance: "web-1",
    address: "10.0.0.7",
    ports: [{ number: 80, name: "http" }],
  },
  ...{ labels: { app: "web" }, pid: process.pid, admin: "http://127.0.0.1:4711", ttlMs: 10_000 },
  ...{ inmeshVersion: "1.2.3", schemaVersion: 6 },
};
/** Of no process: Linux gives no number above 2^22. */
const NOBODY = 99_999_999;

describe("ProcessNotes", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "inmesh-notes-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const notes = () => new ProcessNotes({ directory, registry: REGISTRY, wallTime: () => Date.now() });
  const read = () => readProcessNotes(directory, (registry) => registry === REGISTRY);

  it("tell of a process while it is registered, to this user alone", async () => {
    const handle = await notes().register(LEASE);
    expect(await read()).toEqual([{ ...LEASE, name: "shop.web.web-1" }]);
    const [file = ""] = readdirSync(join(directory, "processes"));
    expect(statSync(join(directory, "processes", file)).mode & 0o777).toBe(0o600);
    await handle.update({ admin: "http://127.0.0.1:4712" });
    expect(await read()).toMatchObject([{ admin: "http://127.0.0.1:4712" }]);
    expect(await readProcessNotes(directory, () => false)).toEqual([]);
    await handle.remove();
    expect(await read()).toEqual([]);
  });

  it("tell of no process that is gone, and are swept a day later", async () => {
    await notes().register({ ...LEASE, pid: NOBODY });
    expect(await read()).toEqual([]);
    await notes().register(LEASE);
    expect(readdirSync(join(directory, "processes"))).toHaveLength(2);
    utimesSync(join(directory, "processes", `${NOBODY}-web-1.json`), 1_000, 1_000);
    await notes().register(LEASE);
    expect(readdirSync(join(directory, "processes"))).toEqual([`${process.pid}-web-1.json`]);
  });

  it("are nothing where nothing can be written or read", async () => {
    const registered = await new ProcessNotes({
      ...{ directory: "/dev/null/no", registry: REGISTRY, wallTime: () => 0 },
    }).register(LEASE);
    await registered.remove();
    await notes().register(LEASE);
    writeFileSync(join(directory, "processes", "1-x.json"), "{");
    writeFileSync(join(directory, "processes", `${process.pid}-y.json`), JSON.stringify({ registry: REGISTRY }));
    expect(await read()).toHaveLength(1);
  });
});
