/** The server of gRPC's interoperability tests (grpc's interop-test-descriptions), on grpc-js. */

import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const FILE = fileURLToPath(new URL("../../fixtures/testing.proto", import.meta.url));
export const TEST_SERVICE = loadSync(FILE, { defaults: true })["grpc.testing.TestService"] as grpc.ServiceDefinition;

const INITIAL = "x-grpc-test-echo-initial";
const TRAILING = "x-grpc-test-echo-trailing-bin";

interface EchoStatus {
  readonly code: number;
  readonly message: string;
}

interface SimpleRequest {
  readonly responseSize: number;
  readonly responseStatus?: EchoStatus | null;
}

interface OutputRequest {
  readonly responseParameters?: readonly { readonly size: number }[];
  readonly responseStatus?: EchoStatus | null;
}

interface InputRequest {
  readonly payload?: { readonly body: Buffer } | null;
}

const payloadOf = (size: number) => ({ payload: { type: 0, body: Buffer.alloc(size) } });

interface AnyCall {
  readonly metadata: grpc.Metadata;
  sendMetadata(metadata: grpc.Metadata): void;
}

/** Custom metadata comes back, as the test of that name wants it. @returns trailers */
function echoMetadata(call: AnyCall): grpc.Metadata {
  const trailers = new grpc.Metadata();
  const [initial] = call.metadata.get(INITIAL);
  if (initial !== undefined) {
    const head = new grpc.Metadata();
    head.set(INITIAL, initial);
    call.sendMetadata(head);
  }
  const [trailing] = call.metadata.get(TRAILING);
  if (trailing !== undefined) trailers.set(TRAILING, trailing);
  return trailers;
}

function failure({ code, message }: EchoStatus, metadata: grpc.Metadata): Partial<grpc.StatusObject> {
  return { code, details: message, metadata };
}

type Duplex = grpc.ServerDuplexStream<OutputRequest, object>;

export const TEST_HANDLERS: grpc.UntypedServiceImplementation = {
  EmptyCall: ((_, done) => done(null, {})) satisfies grpc.handleUnaryCall<object, object>,
  UnaryCall: ((call, done) => {
    const trailers = echoMetadata(call);
    const { responseSize, responseStatus } = call.request;
    if (responseStatus) done(failure(responseStatus, trailers));
    else done(null, payloadOf(responseSize), trailers);
  }) satisfies grpc.handleUnaryCall<SimpleRequest, object>,
  StreamingInputCall: ((call, done) => {
    let bytes = 0;
    call.on("data", ({ payload }: InputRequest) => {
      bytes += payload?.body.length ?? 0;
    });
    call.on("end", () => done(null, { aggregatedPayloadSize: bytes }));
  }) satisfies grpc.handleClientStreamingCall<InputRequest, object>,
  StreamingOutputCall: ((call) => {
    for (const { size } of call.request.responseParameters ?? []) call.write(payloadOf(size));
    call.end();
  }) satisfies grpc.handleServerStreamingCall<OutputRequest, object>,
  FullDuplexCall: ((call: Duplex) => {
    const trailers = echoMetadata(call);
    call.on("data", ({ responseStatus, responseParameters }: OutputRequest) => {
      if (responseStatus) return void call.emit("error", failure(responseStatus, trailers));
      for (const { size } of responseParameters ?? []) call.write(payloadOf(size));
    });
    call.on("end", () => call.end(trailers));
  }) satisfies grpc.handleBidiStreamingCall<OutputRequest, object>,
};
