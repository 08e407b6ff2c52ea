import { describe, expect, it } from "vitest";
import { readLaunch } from "./launch.js";

const read = (env: Record<string, string>) => readLaunch(env, () => "/daemon", ["node", "/pm2/ProcessContainer.js"]);

describe("readLaunch", () => {
  it("takes the process as it is where nobody else started it", () => {
    const env = { INMESH_SERVICE: "web", pm_id: "0" }; // a variable alone is no PM2
    expect(read(env)).toEqual({ env, cwd: "/daemon", program: "/pm2/ProcessContainer.js", pm2: undefined });
  });

  it("reads what PM2 in cluster mode has not set yet", () => {
    const app = { INMESH_SERVICE: "web", pm_id: 0, pm_cwd: "/app", pm_exec_path: "/app/server.js", kill_timeout: 3000 };
    const { env, cwd, program, pm2 } = read({ PATH: "/bin", INMESH_SERVICE: "daemon", pm2_env: JSON.stringify(app) });
    expect([env["PATH"], env["INMESH_SERVICE"], env["pm_id"]]).toEqual(["/bin", "web", "0"]);
    expect([cwd, program, pm2]).toEqual(["/app", "/app/server.js", { killTimeoutMs: 3_000 }]);
  });

  it("reads what PM2 in fork mode has set, in the folder it has changed to", () => {
    const { cwd, program, pm2 } = read({ pm_id: "3", pm_cwd: "/app", pm_exec_path: "/app/server.js" });
    expect([cwd, program, pm2]).toEqual(["/daemon", "/app/server.js", { killTimeoutMs: 1_600 }]);
  });

  it.each(["", "{", "[]", "null", '"x"'])("takes pm2_env %j for nothing", (pm2_env) => {
    expect(read({ pm2_env })).toMatchObject({ cwd: "/daemon", pm2: undefined });
  });

  it.each(["0", "-1", "soon"])("takes kill_timeout %s for PM2's default", (kill_timeout) => {
    expect(read({ pm_id: "0", pm_exec_path: "/a.js", kill_timeout }).pm2).toEqual({ killTimeoutMs: 1_600 });
  });
});
