import { setTimeout as wait } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { EventLog } from "./event-log.js";
import { groupLives } from "./process-group.js";
import type { ProcessSpec } from "./process-spec.js";
import { Supervisor } from "./supervisor.js";

const opened: Supervisor[] = [];

afterEach(async () => {
  for (const supervisor of opened.splice(0)) await supervisor.stopAll();
});

function setup(options: { graceMs?: number; backoffMs?: number } = {}) {
  const events = new EventLog(() => 0);
  const env = { PATH: process.env["PATH"] ?? "" };
  const watched = new Set<number>();
  const reaper = { watch: (pid: number) => void watched.add(pid), forget: (pid: number) => void watched.delete(pid) };
  const supervisor = new Supervisor({ events, reaper, envOf: () => env, ...options });
  opened.push(supervisor);
  const script = (code: string, service = "a"): ProcessSpec => ({
    service,
    command: [process.execPath, "-e", code],
    env: {},
    cwd: process.cwd(),
  });
  const line = (part: string) => until(() => events.events.find(({ text }) => text.includes(part)));
  return { events, supervisor, script, line, watched };
}

async function until<T>(look: () => T | undefined): Promise<T> {
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    await wait(5); // a child's progress has no event of its own here; vitest bounds the test
  }
}

const FOREVER = "console.log('up');setInterval(()=>{},1e6);";

describe("Supervisor", () => {
  it("passes on what a child prints, line by line, with its name", async () => {
    const { supervisor, script, line } = setup();
    supervisor.start(
      script("process.stdout.write('one\\ntw');process.stderr.write('\\x1b[31mred\\n');process.stdout.write('o')"),
    );
    expect(await line("two")).toMatchObject({ kind: "output", source: "a-1" });
    expect((await line("red")).text).toBe("red");
  });

  it("starts a crashed child again, later each time", async () => {
    const { supervisor, script, line } = setup({ backoffMs: 1 });
    supervisor.start(script("process.exit(3)"));
    expect((await line("0.001 s")).text).toMatch(
      /^a-1 \(pid \d+\) crashed: exit code 3; starting it again in 0.001 s$/,
    );
    await line("a-2");
    expect((await line("0.002 s")).kind).toBe("error");
  });

  it("lets a child that finished rest, and says when none is left", async () => {
    const { supervisor, script, line } = setup();
    const idle = new Promise<void>((resolve) => supervisor.onIdle(resolve));
    supervisor.start(script("0"));
    await line("has finished");
    await idle;
    expect(supervisor.instances).toEqual([]);
  });

  it("says what cannot be started", async () => {
    const { supervisor, line } = setup();
    supervisor.start({ service: "a", command: ["no-such-program"], env: {}, cwd: process.cwd() });
    expect((await line("a-1")).text).toBe('a-1 could not be started: "no-such-program": no such file or folder');
  });

  it("kills without bringing back, or brings back when asked", async () => {
    const { supervisor, script, line } = setup();
    const instance = supervisor.start(script(FOREVER));
    await line("up");
    await supervisor.kill(instance);
    expect((await line("is gone")).text).toContain("SIGKILL");
    expect(supervisor.instances).toEqual([]);
    await supervisor.kill(supervisor.start(script(FOREVER, "b")), 1);
    expect((await until(() => supervisor.instances[0])).id).toBe("b-2");
  });

  it("ends a child that ignores SIGTERM, and all that it started", async () => {
    const { supervisor, script, line, watched } = setup({ graceMs: 50 });
    const code = `process.on('SIGTERM',()=>{});const c=require('child_process').spawn(process.execPath,['-e',"process.on('SIGTERM',()=>{});console.log('deep');setInterval(()=>{},1e6)"],{stdio:'inherit'});${FOREVER}`;
    const { pid } = supervisor.start(script(code));
    await line("deep");
    expect([...watched]).toEqual([pid]);
    await supervisor.stopAll();
    expect([groupLives(pid), [...watched]]).toEqual([false, []]);
  });
});
