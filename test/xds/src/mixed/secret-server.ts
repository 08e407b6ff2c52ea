/** What Istio's agent is to the Envoy beside it: it hands out the certificate of the workload and the roots (SDS), in plain text on loopback. */

import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import type { GivenCredentials } from "@inmesh/core";

const SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
const [NAMES, NONCE] = [3, 5];

export class SecretServer implements AsyncDisposable {
  readonly #server: Server;
  readonly port: number;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async start(credentials: GivenCredentials): Promise<SecretServer> {
    const server = new Server();
    const raw = (bytes: Buffer): Buffer => bytes;
    const method = {
      ...{ path: "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets" },
      ...{ requestStream: true, responseStream: true },
      ...{ requestSerialize: raw, requestDeserialize: raw, responseSerialize: raw, responseDeserialize: raw },
    };
    server.addService({ StreamSecrets: method }, { StreamSecrets: (call: Stream) => serve(call, credentials) });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    return new SecretServer(server, port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
  }
}

type Stream = ServerDuplexStream<Buffer, Buffer>;

function serve(call: Stream, credentials: GivenCredentials): void {
  let answers = 0;
  call.on("error", () => {}); // Envoy goes when it is ended
  call.on("end", () => call.end());
  call.on("data", (request: Buffer) => {
    const fields = [...fieldsOf(request)];
    if (fields.some(([number, value]) => number === NONCE && value.length > 0)) return; // it has what it asked for
    const names = fields.flatMap(([number, value]) => (number === NAMES ? value.toString() : []));
    const resources = names.map((name) =>
      field(2, Buffer.concat([field(1, SECRET), field(2, secret(name, credentials))])),
    );
    answers += 1;
    call.write(Buffer.concat([field(1, "1"), ...resources, field(4, SECRET), field(NONCE, String(answers))]));
  });
}

/** `ROOTCA` is a validation context, every other name the certificate. */
function secret(name: string, { certificateChain, privateKey, roots }: GivenCredentials): Buffer {
  const source = (number: number, pem: string): Buffer => field(number, field(2, pem)); // DataSource.inline_bytes
  const content =
    name === "ROOTCA"
      ? field(4, source(1, String(roots)))
      : field(2, Buffer.concat([source(1, certificateChain), source(2, privateKey)]));
  return Buffer.concat([field(1, name), content]);
}

/** Of protobuf: one field with a length. */
function field(number: number, value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([(number << 3) | 2]), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    bytes.push((rest & 127) | (rest > 127 ? 128 : 0));
    if (rest <= 127) return Buffer.from(bytes);
  }
}

/** Those with a length, which are all that matters here. */
function* fieldsOf(message: Buffer): Generator<readonly [number: number, value: Buffer]> {
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++] ?? 0;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const key = next();
    const length = next();
    if ((key & 7) !== 2) continue; // a number, read already
    yield [key >> 3, message.subarray(at, at + length)];
    at += length;
  }
}
