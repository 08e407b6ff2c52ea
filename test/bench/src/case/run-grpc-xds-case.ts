/**
 * Entry of a measuring process: gRPC calls steered by a control plane, by this mesh and by @grpc/grpc-js-xds.
 * `unary`: paired slices. `memory WHO`: what one call to each of many services leaves in memory.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ChannelCredentials, type ClientOptions, credentials, makeGenericClientConstructor } from "@grpc/grpc-js";
import { createMesh, type Mesh } from "@inmesh/node";
import { registerGrpcJsXds } from "../lib/grpc-js-xds.js";
import { REVIEWS } from "../lib/grpc-upstream.js";
import { concurrently, paired, type Variant } from "../lib/paired.js";
import { BODY } from "../lib/upstream.js";
import { serviceName } from "../lib/xds-world.js";
import { WIDTH } from "./request-case.js";

const Client = makeGenericClientConstructor(REVIEWS, "Reviews");
type ReviewsClient = InstanceType<typeof Client>;
const request = Buffer.from(BODY);

export interface MemoryResult {
  readonly heapMb: number;
  readonly rssMb: number;
}

const [what, address = "", port = "", who = "", services = "0"] = process.argv.slice(2);
const stateDir = mkdtempSync(join(tmpdir(), "inmesh-bench-"));
const result = what === "unary" ? await unary() : await memory();
rmSync(stateDir, { recursive: true });
process.send?.(result, () => process.exit());

async function unary(): Promise<unknown> {
  const mesh = await open();
  await registerGrpcJsXds(address);
  const variant = (name: string, target: string, creds: ChannelCredentials, options: ClientOptions): Variant => {
    const client = new Client(target, creds, options);
    return { name, run: (count) => concurrently(count, WIDTH, () => call(client)) };
  };
  return paired(
    variant("bare grpc-js, no control plane", `127.0.0.1:${port}`, credentials.createInsecure(), {}),
    [
      variant("@grpc/grpc-js-xds", `xds:///${serviceName(0)}`, credentials.createInsecure(), {}),
      variant("inmesh, profile grpc", `${serviceName(0)}:80`, mesh.grpc.credentials(), mesh.grpc.options()),
    ],
    { rounds: 60, slice: 200, warmUp: 12_000 },
  );
}

/** Channels stay open: what is measured is what a process holds that talks to all of them. */
async function memory(): Promise<MemoryResult> {
  const before = sizes();
  const target = who === "bare" ? () => `127.0.0.1:${port}` : who === "theirs" ? xdsTarget : ourTarget;
  const mesh = who === "ours" ? await open() : undefined;
  const creds = mesh?.grpc.credentials() ?? credentials.createInsecure();
  if (who === "theirs") await registerGrpcJsXds(address);
  const options = mesh?.grpc.options() ?? {};
  const clients: ReviewsClient[] = [];
  for (let index = 0; index < Number(services); index++) {
    const client = new Client(target(index), creds, options);
    clients.push(client);
    await call(client);
  }
  const after = sizes();
  return { heapMb: after.heapMb - before.heapMb, rssMb: after.rssMb - before.rssMb };
}

function xdsTarget(index: number): string {
  return `xds:///${serviceName(index)}`;
}

function ourTarget(index: number): string {
  return `${serviceName(index)}:80`;
}

function open(): Promise<Mesh> {
  return createMesh({
    ...{ service: "bench", namespace: "shop", config: `xds://${address}?profile=grpc&tls=off`, stateDir },
    ...{ admin: "off", log: "error" },
  });
}

function call(client: ReviewsClient): Promise<void> {
  return new Promise((resolve, reject) => {
    client["get"]!(request, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}

function sizes(): MemoryResult {
  for (let turn = 0; turn < 3; turn++) (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  return { heapMb: heapUsed / 2 ** 20, rssMb: rss / 2 ** 20 };
}
