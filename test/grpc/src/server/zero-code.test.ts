/** Servers of grpc-js with not one line changed, under `--import`, as whole processes. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { clientOf, type EchoClient, say } from "./served-mesh.js";

const REGISTER = pathToFileURL(fileURLToPath(new URL("../../../../packages/node/dist/register.js", import.meta.url)));
const FIXTURES = fileURLToPath(new URL("../../fixtures/", import.meta.url));
const NO_DELETE = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: no-delete, namespace: default }
spec: { action: DENY, rules: [{ to: [{ operation: { paths: [/shop.Echo/Delete] } }] }] }
---
apiVersion: inmesh.dev/v1alpha1
kind: RateLimit
metadata: { name: few, namespace: default }
spec: { host: echo, rules: [{ name: few, requests: 2, per: 1h, match: [{ headers: { x-hurry: { exact: "yes" } } }] }] }
`;

describe.each(["plain-server.cjs", "plain-server.mjs"])("%s", (file) => {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-grpc-"));
  let child: ChildProcess;
  let exited: Promise<unknown>;
  let port = 0;
  let client: EchoClient & { close(): void };
  let errors = "";

  beforeAll(async () => {
    writeFileSync(join(folder, "policy.yaml"), NO_DELETE);
    child = spawn(process.execPath, ["--import", REGISTER.href, join(FIXTURES, file)], {
      env: {
        PATH: process.env["PATH"],
        HOME: folder,
        INMESH_SERVICE: "echo",
        INMESH_CONFIG: folder,
        INMESH_LOG: "error",
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    exited = once(child, "close");
    child.stderr?.on("data", (chunk) => {
      errors += chunk;
    });
    let out = "";
    while (port === 0) {
      out += (await once(child.stdout!, "data")) as unknown as string; // piped above
      port = Number(/port (\d+)/.exec(out)?.[1] ?? 0);
    }
    client = clientOf(port);
  });

  afterAll(async () => {
    client?.close();
    child.kill("SIGKILL");
    await exited;
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  it("registers its port as grpc", async () => {
    const leases = () => {
      const directory = join(folder, ".workloads");
      const files = readdirSync(directory).filter((name) => name.endsWith(".yaml"));
      return files.map((name) => parse(readFileSync(join(directory, name), "utf8")).spec.ports);
    };
    await expect.poll(leases).toEqual([{ grpc: port }]);
  });

  it("is asked of what policy lets in, and of no more", async () => {
    expect(await say(client)).toMatchObject({ code: grpc.status.OK, answer: "hello" });
    expect(await say(client, { method: "Delete" })).toMatchObject({ code: grpc.status.PERMISSION_DENIED });
    const headers = { "x-hurry": "yes" };
    const ended = [await say(client, { headers }), await say(client, { headers }), await say(client, { headers })];
    expect(ended.map(({ code }) => code)).toEqual([0, 0, grpc.status.RESOURCE_EXHAUSTED]);
  });

  it("finishes a call that runs when it is told to end, and then exits", async () => {
    const chat = client.Chat();
    const heard: string[] = [];
    chat.on("data", (chunk: Buffer) => heard.push(String(chunk)));
    const status = new Promise<grpc.StatusObject>((resolve) => chat.on("status", resolve));
    chat.write(Buffer.from("before"));
    await expect.poll(() => heard).toEqual(["before"]);
    child.kill("SIGTERM");
    await expect
      .poll(() => readdirSync(join(folder, ".workloads")).filter((name) => name.endsWith(".yaml")))
      .toEqual([]);
    chat.write(Buffer.from("after"));
    await expect.poll(() => heard).toEqual(["before", "after"]);
    chat.end();
    expect((await status).code).toBe(grpc.status.OK);
    await expect.poll(() => child.exitCode ?? child.signalCode).toBe("SIGTERM");
    expect(errors).toBe("");
  });
});
