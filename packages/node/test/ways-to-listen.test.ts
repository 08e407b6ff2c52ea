/** PERMISSIVE and STRICT hold for every server of an application under --import, in whatever way it listens. */

import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { expect, it } from "vitest";
import { newFolder, start } from "./child.js";
import { MeshAuthority, PAY, WEB } from "./mesh-authority.js";
import { until } from "./until.js";

const authority = new MeshAuthority();
const GET = "GET / HTTP/1.1\r\nhost: pay\r\nconnection: close\r\n\r\n";
const HOSTS = { fd: "127.0.0.1", ipv6: "::1", worker: "127.0.0.1" } as const;
const WAYS = Object.keys(HOSTS) as (keyof typeof HOSTS)[];

function peerAuthentication(mode: "PERMISSIVE" | "STRICT"): string {
  const head =
    "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: all, namespace: default }";
  return `${head}\nspec: { mtls: { mode: ${mode} } }\n`;
}

/** @returns what the application said; empty: nothing */
async function said(socket: Socket): Promise<string> {
  let text = "";
  socket
    .on("error", () => {})
    .on("data", (data) => {
      text += data;
    });
  socket.write(GET);
  await new Promise((resolve) => socket.once("close", resolve)); // `once` would throw what ended it
  return text.split("\r\n\r\n")[1]?.match(/spiffe:\S+|nobody/)?.[0] ?? "";
}

it("a socket that was given, IPv6 and a worker of a cluster take both kinds of callers, and under STRICT those of the mesh only", async () => {
  const folder = newFolder();
  const certificates = join(folder, "certificates");
  mkdirSync(certificates);
  const own = authority.issue(PAY);
  const write = (name: string, text: string) => writeFileSync(join(certificates, name), text, { mode: 0o600 });
  write("tls.crt", own.cert);
  write("tls.key", own.key);
  write("ca.crt", authority.roots.join(""));
  writeFileSync(join(folder, "policy.yaml"), peerAuthentication("PERMISSIVE"));

  const given = createServer().listen(0, "127.0.0.1");
  await once(given, "listening");
  const { port: givenPort } = given.address() as AddressInfo;
  const child = start("ways.mjs", {
    ...{ folder, service: "pay", env: { INMESH_IDENTITY: `files:${certificates}`, INMESH_PROPAGATION_DELAY_MS: "0" } },
    fds: [fdOf(given)],
  });
  const ports = new Map<string, number>();
  for (const way of WAYS) ports.set(way, Number(await child.printed(new RegExp(`${way} (\\d+)`))));
  given.close();
  expect(ports.get("fd")).toBe(givenPort);

  const { cert, key } = authority.issue(WEB);
  const options = { cert, key, ca: [...authority.roots], checkServerIdentity: () => undefined };
  const plain = (way: keyof typeof HOSTS) => said(connect(ports.get(way)!, HOSTS[way]));
  const secured = (way: keyof typeof HOSTS) =>
    said(connectTls({ host: HOSTS[way], port: ports.get(way)!, ...options }));
  const all = async (ask: typeof plain) =>
    Object.fromEntries(await Promise.all(WAYS.map(async (way) => [way, await ask(way)])));
  const each = (text: string) => Object.fromEntries(WAYS.map((way) => [way, text]));

  expect(await all(secured)).toEqual(each(WEB));
  expect(await all(plain)).toEqual(each("nobody"));
  writeFileSync(join(folder, "policy.yaml"), peerAuthentication("STRICT"));
  await until(async () => Object.values(await all(plain)).every((text) => text === ""));
  expect(await all(secured)).toEqual(each(WEB));
  child.process.kill("SIGTERM");
  await child.exited; // the worker with it, which writes into the folder
});

/** Node passes a listening socket on by its number only. */
function fdOf(server: Server): number {
  return (server as unknown as { readonly _handle: { readonly fd: number } })._handle.fd;
}
