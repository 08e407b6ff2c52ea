/** gRPC's interoperability cases, by the names of its own description, as a client of grpc-js meets them. */

import { once } from "node:events";
import {
  type Client,
  type GrpcObject,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
  type StatusObject,
  status,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { expect } from "vitest";

const loaded = loadPackageDefinition(
  loadSync(new URL("./interop.proto", import.meta.url).pathname, { keepCase: true, longs: Number }),
);
const testing = (loaded["grpc"] as GrpcObject)["testing"] as GrpcObject;
export const TestService = testing["TestService"] as ServiceClientConstructor;
export const UnimplementedService = testing["UnimplementedService"] as ServiceClientConstructor;

type TestClient = InstanceType<typeof TestService>;
type Case = (client: TestClient, other: TestClient) => Promise<void>;

/** Every call has one; those that fail have an error besides. */
function statusOf(call: NodeJS.EventEmitter): Promise<StatusObject> {
  call.on("error", () => {});
  return new Promise((resolve) => call.on("status", resolve));
}

const payload = (size: number) => ({ body: Buffer.alloc(size) });
const sizes = (...each: number[]) => each.map((size) => ({ size }));
const SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";

interface Answered {
  readonly error: { code: number; details: string } | null;
  // biome-ignore lint/suspicious/noExplicitAny: messages as proto-loader makes them
  readonly value: any;
  readonly head: Metadata;
  readonly trailer: Metadata;
}

async function unary(client: Client, name: string, request: object, metadata = new Metadata()): Promise<Answered> {
  let head = new Metadata();
  let ended!: Promise<StatusObject>; // set while the promise below is made
  // biome-ignore lint/suspicious/noExplicitAny: methods as proto-loader makes them
  const methods = client as any;
  const answered = new Promise<Pick<Answered, "error" | "value">>((resolve) => {
    const call = methods[name](request, metadata, (error: Answered["error"], value: unknown) =>
      resolve({ error, value }),
    );
    call.on("metadata", (given: Metadata) => {
      head = given;
    });
    ended = statusOf(call);
  });
  const { metadata: trailer } = await ended;
  return { ...(await answered), head, trailer };
}

export const CASES: Readonly<Record<string, Case>> = {
  async empty_unary(client) {
    expect((await unary(client, "EmptyCall", {})).value).toEqual({});
  },
  async large_unary(client) {
    const { value } = await unary(client, "UnaryCall", { response_size: 314_159, payload: payload(271_828) });
    expect(value.payload.body.length).toBe(314_159);
  },
  async client_streaming(client) {
    const value = await new Promise((resolve, reject) => {
      const call = client["StreamingInputCall"]!((error: unknown, answer: unknown) =>
        error === null ? resolve(answer) : reject(error),
      );
      for (const size of [27_182, 8, 1_828, 45_904]) call.write({ payload: payload(size) });
      call.end();
    });
    expect(value).toEqual({ aggregated_payload_size: 74_922 });
  },
  async server_streaming(client) {
    const got: number[] = [];
    const request = { response_parameters: sizes(31_415, 9, 2_653, 58_979) };
    for await (const { payload } of client["StreamingOutputCall"]!(request)) got.push(payload.body.length);
    expect(got).toEqual([31_415, 9, 2_653, 58_979]);
  },
  async ping_pong(client) {
    const call = client["FullDuplexCall"]!();
    const over = statusOf(call);
    for (const [sent, back] of [
      [27_182, 31_415],
      [8, 9],
      [1_828, 2_653],
      [45_904, 58_979],
    ] as const) {
      call.write({ response_parameters: sizes(back), payload: payload(sent) });
      const [answer] = await once(call, "data");
      expect(answer.payload.body.length).toBe(back);
    }
    call.end();
    call.resume();
    expect((await over).code).toBe(status.OK);
  },
  async empty_stream(client) {
    const call = client["FullDuplexCall"]!();
    const over = statusOf(call);
    const got: unknown[] = [];
    call.on("data", (each: unknown) => got.push(each));
    call.end();
    expect([(await over).code, got]).toEqual([status.OK, []]);
  },
  async custom_metadata(client) {
    const metadata = new Metadata();
    metadata.set("x-grpc-test-echo-initial", "test_initial_metadata_value");
    metadata.set("x-grpc-test-echo-trailing-bin", Buffer.from("ababab", "hex"));
    const request = { response_size: 314_159, payload: payload(271_828) };
    const { head, trailer } = await unary(client, "UnaryCall", request, metadata);
    expect(head.get("x-grpc-test-echo-initial")).toEqual(["test_initial_metadata_value"]);
    expect(trailer.get("x-grpc-test-echo-trailing-bin")).toEqual([Buffer.from("ababab", "hex")]);
  },
  async status_code_and_message(client) {
    const asked = { code: status.UNKNOWN, message: "test status message" };
    const { error } = await unary(client, "UnaryCall", { response_status: asked });
    expect([error?.code, error?.details]).toEqual([asked.code, asked.message]);
    const call = client["FullDuplexCall"]!();
    call.resume();
    const over = statusOf(call);
    call.write({ response_status: asked });
    call.end();
    const got = await over;
    expect([got.code, got.details]).toEqual([asked.code, asked.message]);
  },
  async special_status_message(client) {
    const asked = { code: status.UNKNOWN, message: SPECIAL };
    const { error } = await unary(client, "UnaryCall", { response_status: asked });
    expect([error?.code, error?.details]).toEqual([status.UNKNOWN, SPECIAL]);
  },
  async unimplemented_method(client) {
    expect((await unary(client, "UnimplementedCall", {})).error?.code).toBe(status.UNIMPLEMENTED);
  },
  async unimplemented_service(_, other) {
    expect((await unary(other, "UnimplementedCall", {})).error?.code).toBe(status.UNIMPLEMENTED);
  },
  async cancel_after_begin(client) {
    const call = client["StreamingInputCall"]!(() => {});
    const over = statusOf(call);
    call.cancel();
    expect((await over).code).toBe(status.CANCELLED);
  },
  async cancel_after_first_response(client) {
    const call = client["FullDuplexCall"]!();
    const over = statusOf(call);
    call.write({ response_parameters: sizes(31_415), payload: payload(27_182) });
    await once(call, "data");
    call.cancel();
    expect((await over).code).toBe(status.CANCELLED);
  },
  async timeout_on_sleeping_server(client) {
    const call = client["FullDuplexCall"]!(new Metadata(), { deadline: Date.now() + 20 });
    call.resume();
    const over = statusOf(call);
    call.write({ response_parameters: [{ size: 31_415, interval_us: 1_000_000 }], payload: payload(27_182) });
    expect((await over).code).toBe(status.DEADLINE_EXCEEDED);
  },
};
