import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { ROOT } from "../../e2e/src/dev-process.js";
import { ComposeProcess, lint, readCompose } from "./compose.js";
import { freePort } from "./example.js";

const FOLDER = join(ROOT, "examples/docker-compose");
const FILE = readCompose(FOLDER);

const undos: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of undos.splice(0).reverse()) await undo();
});

/** Everything that the file says, run without Docker: the volume is a folder, the network is loopback. */
async function up() {
  const registry = mkdtempSync(join(tmpdir(), "inmesh-compose-"));
  undos.push(() => rmSync(registry, { recursive: true, force: true }));
  const urls: Record<string, string> = {};
  const processes: Record<string, ComposeProcess> = {};
  for (const [name, service] of Object.entries(FILE.services)) {
    const PORT = String(await freePort());
    const policy = service.volumes?.find((volume) => volume.startsWith("./"))?.split(":") ?? [];
    cpSync(join(FOLDER, policy[0] ?? ""), join(registry, "policy"), { recursive: true });
    urls[name] = `http://127.0.0.1:${PORT}/`;
    processes[name] = new ComposeProcess(service, FOLDER, {
      HOST: "127.0.0.1",
      PORT,
      INMESH_CONFIG: registry,
      INMESH_STATE_DIR: join(registry, ".state"), // a container has a disk of its own
      INMESH_ADDRESS: service.environment?.["INMESH_ADDRESS"] === name ? "localhost" : "",
    });
    undos.push(() => processes[name]?.stop());
  }
  const leases = () =>
    readdirSync(join(registry, ".workloads"))
      .filter((name) => name.endsWith(".yaml"))
      .map((name) => parse(readFileSync(join(registry, ".workloads", name), "utf8")));
  return { urls, processes, leases };
}

async function answerOf(url: string | undefined, headers: Record<string, string> = {}): Promise<string> {
  try {
    const answer = await fetch(url ?? "", { headers: { connection: "close", ...headers } });
    return `${answer.status} ${await answer.text()}`.trim();
  } catch (error) {
    return String(error); // it does not listen yet
  }
}

async function until(ask: () => Promise<string>, wanted: RegExp): Promise<string> {
  let answer = await ask();
  for (const deadline = performance.now() + 20_000; !wanted.test(answer) && performance.now() < deadline; ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    answer = await ask();
  }
  return answer;
}

describe("examples/docker-compose", () => {
  it("is a Compose file that says what it means", () => {
    expect(lint(FILE, FOLDER)).toEqual([]);
  });

  it.each([
    ["a misspelt key", { services: { web: { image: "x", comand: "node" } } }, "web: unknown key comand"],
    [
      "a volume nobody declares",
      { services: { web: { image: "x", volumes: ["data:/d"] } } },
      "no volume or folder data",
    ],
    ["a number as a variable", { services: { web: { image: "x", environment: { PORT: 80 } } } }, "PORT is no text"],
  ])("would be refused with %s", (_, file, problem) => {
    expect(lint(file as never, FOLDER)).toEqual([expect.stringContaining(problem)]);
  });

  it("has one image, one registry, and an address for every service", () => {
    const services = Object.entries(FILE.services);
    expect(services.length).toBeGreaterThanOrEqual(3);
    expect(new Set(services.map(([, { image }]) => image)).size).toBe(1);
    for (const [name, { environment, volumes }] of services) {
      expect(environment).toMatchObject({ INMESH_ADDRESS: name, INMESH_CONFIG: "/mesh" });
      expect(volumes).toEqual(FILE.services["web"]?.volumes);
      expect(volumes?.[0]).toBe("registry:/mesh");
    }
  });

  it("docker-compose: its services find each other through the volume, and a rule sends beta testers to v2", async () => {
    const { urls, processes, leases } = await up();
    const ask = (beta = "no") => answerOf(urls["web"], { "x-beta": beta });
    expect(await until(() => ask(), /^200/)).toBe("200 the shop shows: reviews v1");
    expect(await until(() => ask("yes"), /^200/)).toBe("200 the shop shows: reviews v2");
    expect(leases().map(({ spec }) => spec.address)).toEqual(["localhost", "localhost", "localhost"]);
    expect(await processes["reviews-v2"]?.stop()).toBe("SIGTERM"); // drained, then ended as it was told
    expect(leases().map(({ spec }) => spec.labels.version)).not.toContain("v2");
    expect(await ask()).toBe("200 the shop shows: reviews v1");
    expect(await until(() => ask("yes"), /^503/)).toMatch(/^503 /);
  });
});
