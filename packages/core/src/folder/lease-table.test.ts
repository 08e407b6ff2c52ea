import { parseDocuments } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { FakeClock } from "../runtime/fake-clock.js";
import { seededRandom } from "../runtime/random.js";
import type { LeaseSpec } from "../snapshot/source.js";
import { lease } from "../testing/registry-cases.js";
import { formatLease, stampOf } from "./lease-file.js";
import { LeaseTable, TICK_MS } from "./lease-table.js";

const FILE = "shop.reviews.a.yaml";
const FILE_B = "shop.reviews.b.yaml";

function setup({ host = "elsewhere" } = {}) {
  const clock = new FakeClock();
  const processes = new Map<number, string>([[process.pid, "100"]]);
  const asked: number[] = [];
  const table = new LeaseTable({
    clock,
    random: seededRandom(1),
    parse: parseDocuments,
    host: {
      id: "here",
      exists: (pid) => processes.has(pid),
      startOf: (pid) => {
        asked.push(pid);
        return processes.get(pid) ?? "";
      },
    },
  });
  let writes = 0;
  /** The file as a stat sees it after a write of this sequence number. */
  const stat = (sequence: number, id = "file-1") => ({
    id,
    signature: `${id}/${++writes}`,
    bytes: 1,
    directory: false,
    changedAt: stampOf(sequence, clock.wallTime() + writes * 1_000),
  });
  const write = (change: Partial<LeaseSpec> = {}, { file = FILE, sequence = 1, id = "file-1" } = {}) => {
    const spec = { ...lease(file.split(".")[2] ?? ""), ...change };
    const found = stat(sequence, id);
    if (table.mustRead(file, found)) table.observe(file, formatLease(spec, sequence, { host, started: "100" }), found);
  };
  const names = () => table.leases.map(({ name }) => name);
  /** Time as an awake reader lives it. */
  const live = (ms: number, seeing = true) => {
    for (let passed = 0; passed < ms; passed += TICK_MS) {
      clock.advance(TICK_MS);
      table.tick(seeing);
    }
  };
  return { clock, table, processes, asked, stat, write, names, live };
}

describe("LeaseTable", () => {
  it("drops a lease once its lifetime passed without a change, and not before", () => {
    const { write, names, live } = setup();
    write();
    live(15_000);
    expect(names()).toEqual(["shop.reviews.a"]);
    live(TICK_MS);
    expect(names()).toEqual([]);
  });

  it("keeps a lease that is renewed, with the same object and the same list", () => {
    const { write, table, live } = setup();
    write();
    const before = table.leases;
    for (let renewal = 0; renewal < 10; renewal++) {
      live(5_000);
      write();
    }
    expect(table.leases).toBe(before);
  });

  it("believes a watch that says a live lease was touched, and looks at anything else", () => {
    const { write, table, live, names } = setup();
    write();
    live(14_000);
    expect(table.touched(FILE)).toBe(true);
    live(14_000);
    expect(names()).toEqual(["shop.reviews.a"]);
    live(2_000);
    expect([names(), table.touched(FILE), table.touched(FILE_B)]).toEqual([[], false, false]);
  });

  it("takes back a process that stood still and goes on", () => {
    const { write, names, live } = setup();
    write();
    live(20_000);
    expect(names()).toEqual([]);
    write();
    expect(names()).toEqual(["shop.reviews.a"]);
  });

  it("reads a file only when it may hold another text", () => {
    const { write, table, stat } = setup();
    write({ labels: { version: "v1" } }, { sequence: 1 });
    const renewed = stat(1);
    expect(table.mustRead(FILE, renewed)).toBe(false);
    expect(table.mustRead(FILE, renewed)).toBe(false);
    expect(table.mustRead(FILE, stat(2))).toBe(true);
    expect(table.mustRead(FILE, stat(1, "file-2"))).toBe(true);
    write({ labels: { version: "v2" } }, { sequence: 2, id: "file-2" });
    expect(table.leases[0]?.labels["version"]).toBe("v2");
  });

  it("does not count the time in which the reader stood still", () => {
    const { write, names, live, clock, table } = setup();
    write();
    write({}, { file: FILE_B });
    live(10_000);
    clock.advance(3_600_000); // SIGSTOP, a sleeping laptop, a breakpoint
    table.tick(true);
    expect(names()).toHaveLength(2);
    live(3_000);
    write(); // the one that lives has time to say so
    live(3_000);
    expect(names()).toEqual(["shop.reviews.a"]);
  });

  it("rides out a stall of two seconds and a jump of wall time", () => {
    const { write, names, live, clock, table } = setup();
    write();
    live(13_500);
    clock.advance(2_000);
    clock.jumpWall(86_400_000);
    table.tick(true);
    clock.jumpWall(-2 * 86_400_000);
    table.tick(true);
    expect(names()).toEqual(["shop.reviews.a"]);
  });

  it("expires nobody while the folder cannot be read", () => {
    const { write, names, live } = setup();
    write();
    live(3_600_000, false);
    expect(names()).toEqual(["shop.reviews.a"]);
  });

  it("drops a process of this machine as soon as its pid is gone", () => {
    const { write, names, live, processes } = setup({ host: "here" });
    write();
    live(TICK_MS);
    expect(names()).toEqual(["shop.reviews.a"]);
    processes.clear();
    live(TICK_MS);
    expect(names()).toEqual([]);
  });

  it("asks about pids of this machine only", () => {
    const { write, names, live, processes } = setup({ host: "elsewhere" });
    processes.clear();
    write();
    live(TICK_MS);
    expect(names()).toEqual(["shop.reviews.a"]);
  });

  it("knows at first sight that a pid was given to another process", () => {
    const { write, names, processes } = setup({ host: "here" });
    processes.set(process.pid, "200");
    write();
    expect(names()).toEqual([]);
  });

  it("finds a pid given away later when a renewal is late, without asking all the time", () => {
    const { write, names, live, processes, asked } = setup({ host: "here" });
    write();
    const first = asked.length;
    processes.set(process.pid, "200");
    live(7_500);
    expect([asked.length, names()]).toEqual([first, ["shop.reviews.a"]]);
    live(TICK_MS);
    expect(names()).toEqual([]);
  });

  it("does not revive a dead process because its file was touched", () => {
    const { write, names, live, processes } = setup({ host: "here" });
    write();
    processes.clear();
    live(TICK_MS);
    write();
    expect(names()).toEqual([]);
  });

  it("gives a successor of the same name its own lease", () => {
    const { write, table, live, processes } = setup({ host: "here" });
    write();
    processes.clear();
    live(TICK_MS);
    processes.set(process.pid + 1, "100");
    write({ pid: process.pid + 1 }, { id: "file-2" });
    expect(table.leases.map(({ pid }) => pid)).toEqual([process.pid + 1]);
  });

  it("keeps what a lease said while its file is half written, and says so", () => {
    const { write, table, stat } = setup();
    write();
    const before = table.leases[0];
    table.observe(FILE, "apiVersion: networking", stat(5));
    expect([table.leases[0], table.problems.map(({ code }) => code)]).toEqual([before, ["IM0703"]]);
    write({}, { sequence: 6 });
    expect([table.leases.length, table.problems]).toEqual([1, []]);
  });

  it("keeps what a lease said while its file cannot be read", () => {
    const { write, table } = setup();
    write();
    table.unreadable(FILE, "EACCES");
    table.unreadable(FILE_B, "EACCES");
    expect(table.leases.map(({ name }) => name)).toEqual(["shop.reviews.a"]);
    expect(table.problems.map(({ message }) => message)).toEqual([
      expect.stringContaining("EACCES"),
      expect.stringContaining("EACCES"),
    ]);
  });

  it("offers ended leases for clearing after a while, each once", () => {
    const { write, table, live } = setup();
    write();
    live(15_250);
    expect(table.takeCleared()).toEqual([]);
    live(60_000);
    expect([table.takeCleared(), table.takeCleared()]).toEqual([[FILE], []]);
  });

  it("forgets a process that left", () => {
    const { write, table } = setup();
    write();
    table.forget(FILE);
    expect(table.leases).toEqual([]);
  });
});
