/** gRPC's health service where the application has none, and where it has one. */

import * as grpc from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { planeOf } from "../lib/mesh-of.js";
import { ServedMesh } from "./served-mesh.js";

const bytes = (value: Buffer): Buffer => value;
const method = (name: string, responseStream: boolean) => ({
  path: `/grpc.health.v1.Health/${name}`,
  ...{ requestStream: false, responseStream, requestSerialize: bytes, requestDeserialize: bytes },
  ...{ responseSerialize: bytes, responseDeserialize: bytes },
});
const HEALTH = { Check: method("Check", false), Watch: method("Watch", true) } satisfies grpc.ServiceDefinition;
const [SERVING, NOT_SERVING, UNKNOWN] = ["0801", "0802", "0803"];

interface HealthClient {
  Check(request: Buffer, done: (error: grpc.ServiceError | null, answer?: Buffer) => void): void;
  Watch(request: Buffer): grpc.ClientReadableStream<Buffer>;
}

function healthClient(port: number) {
  const Client = grpc.makeGenericClientConstructor(HEALTH, "Health");
  const client = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  return client as unknown as HealthClient & grpc.Client;
}

/** HealthCheckRequest. */
function asked(service: string): Buffer {
  return service === "" ? Buffer.alloc(0) : Buffer.concat([Buffer.of(0x0a, service.length), Buffer.from(service)]);
}

function check(client: HealthClient, service = ""): Promise<string | number> {
  return new Promise((resolve) => {
    client.Check(asked(service), (error, answer) => resolve(error?.code ?? answer?.toString("hex") ?? ""));
  });
}

describe("the health service of a server that has none", () => {
  it("says how ready the mesh is, of the process and of each of its services", async () => {
    await using served = await ServedMesh.start("");
    const client = healthClient(served.port);
    expect(await check(client)).toBe(SERVING);
    expect(await check(client, "shop.Echo")).toBe(SERVING);
    expect(await check(client, "shop.Other")).toBe(grpc.status.NOT_FOUND);
    planeOf(served.mesh).failing = true;
    expect(await check(client)).toBe(NOT_SERVING);
    client.close();
  });

  it("tells who watches of every change, and lets go of him when the process ends", async () => {
    await using served = await ServedMesh.start("", { drainTimeoutMs: 8_000 });
    const client = healthClient(served.port);
    const [heard, other]: [string[], string[]] = [[], []];
    const watch = client.Watch(asked(""));
    watch.on("data", (status: Buffer) => heard.push(status.toString("hex"))).on("error", () => {});
    const ended = new Promise<grpc.StatusObject>((resolve) => watch.on("status", resolve));
    const stranger = client.Watch(asked("shop.Other"));
    stranger.on("data", (status: Buffer) => other.push(status.toString("hex"))).on("error", () => {});
    await expect.poll(() => [heard, other]).toEqual([[SERVING], [UNKNOWN]]);
    const plane = planeOf(served.mesh);
    plane.failing = true;
    await expect.poll(() => heard).toEqual([SERVING, NOT_SERVING]);
    plane.failing = false;
    await expect.poll(() => heard).toEqual([SERVING, NOT_SERVING, SERVING]);
    const { cut } = await served.mesh.drain();
    expect((await ended).code).toBe(grpc.status.UNAVAILABLE);
    expect([cut, heard.at(-1)]).toEqual([0, NOT_SERVING]);
    client.close();
  });
});

it("the health service of an application's own is heard, and nobody else", async () => {
  await using served = await ServedMesh.start("");
  served.server.addService(
    { Check: HEALTH.Check },
    { Check: ((_, done) => done(null, Buffer.of(8, 2))) satisfies grpc.handleUnaryCall<Buffer, Buffer> },
  );
  const client = healthClient(served.port);
  expect(await check(client)).toBe(NOT_SERVING);
  client.close();
});
