import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ConsulClient } from "./consul-client.js";
import { parseConsulUrl } from "./consul-url.js";

const ONE_S = 1_000;

/** Undefined where the machine has no such address. */
async function listen(address: string): Promise<Server | undefined> {
  const server = createServer(({ headers }, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(headers.host));
  });
  server.listen(0, address);
  const [failed] = await Promise.race([once(server, "listening"), once(server, "error")]).catch((error) => [error]);
  return failed === undefined ? server : undefined;
}

describe("ConsulClient", () => {
  it.each(["127.0.0.1", "::1"])("asks a server at %s", async (address) => {
    const server = await listen(address);
    if (server === undefined) return console.error(`SKIPPED, not tested: this machine has no ${address}`);
    const { port } = server.address() as AddressInfo;
    const host = `${address.includes(":") ? `[${address}]` : address}:${port}`;
    const client = new ConsulClient(parseConsulUrl(`consul://${host}`, {}));
    expect(await client.ask({ path: "/status/leader" })).toMatchObject({ status: 200, body: host });
    client.close();
    server.close();
  });

  it("keeps no process alive with a question in the background", async () => {
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    const asked = once(silent, "request");
    const [client, url] = ["./consul-client.ts", "./consul-url.ts"].map((file) => import.meta.resolve(file));
    const built = (file = ""): string => file.replace("/src/", "/build/").replace(/\.ts$/, ".js");
    const program = `
      const { ConsulClient } = await import(${JSON.stringify(built(client))});
      const { parseConsulUrl } = await import(${JSON.stringify(built(url))});
      const client = new ConsulClient(parseConsulUrl("consul://127.0.0.1:${port}", {}));
      client.ask({ path: "/kv/x", timeoutMs: 0, background: true }).catch(() => {});
      setTimeout(() => {}, ${ONE_S / 2});`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      cwd: fileURLToPath(new URL(".", import.meta.url)),
      stdio: "inherit",
    });
    await asked;
    const [code] = await once(child, "exit");
    expect(code).toBe(0);
    silent.closeAllConnections();
    silent.close();
  });
});
