/** A member of a mesh that serves gRPC in this process, and a bare client for it. */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { createMesh, type Mesh, type MeshOptions } from "@inmesh/node";
import { parse } from "yaml";
import { ECHO, type EchoLog, echoHandlers } from "../echo.js";

export type GrpcModule = typeof grpc;

export class ServedMesh implements AsyncDisposable {
  readonly folder: string;
  readonly mesh: Mesh;
  readonly log: EchoLog;
  readonly server: grpc.Server;
  readonly port: number;
  readonly #closing: (() => unknown)[] = [];

  constructor(folder: string, mesh: Mesh, log: EchoLog, server: grpc.Server, port: number) {
    this.folder = folder;
    this.mesh = mesh;
    this.log = log;
    this.server = server;
    this.port = port;
  }

  /** @param module whose Server it is @default one made by the mesh itself */
  static async start(
    yaml: string,
    options: MeshOptions = {},
    module?: GrpcModule,
    serverOptions: grpc.ServerOptions = {},
  ): Promise<ServedMesh> {
    const folder = mkdtempSync(join(tmpdir(), "inmesh-grpc-"));
    if (yaml !== "") writeFileSync(join(folder, "policy.yaml"), yaml);
    const mesh = await createMesh({
      ...{ service: "echo", config: folder, propagationDelayMs: 0, log: "error", identity: "off" },
      ...options,
    });
    const server = module === undefined ? mesh.grpc.server(serverOptions) : mesh.grpc.attach(new module.Server());
    const log: EchoLog = { calls: [], cancelled: [], metadata: {} };
    server.addService(ECHO, echoHandlers(log));
    const credentials = (module ?? grpc).ServerCredentials.createInsecure();
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
    });
    await mesh.ready();
    return new ServedMesh(folder, mesh, log, server, port);
  }

  /** Of a new connection. @default in plaintext */
  client(credentials = grpc.credentials.createInsecure(), options: grpc.ClientOptions = {}): EchoClient {
    const client = clientOf(this.port, credentials, options);
    this.#closing.push(() => client.close());
    return client;
  }

  /** Ports by name, of each lease of the folder. */
  leases(): readonly unknown[] {
    const directory = join(this.folder, ".workloads");
    if (!existsSync(directory)) return [];
    const files = readdirSync(directory).filter((name) => name.endsWith(".yaml"));
    return files.map((name) => parse(readFileSync(join(directory, name), "utf8")).spec.ports);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closing) close();
    this.server.forceShutdown();
    await this.mesh.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A bare client of grpc-js with a connection of its own. */
export function clientOf(
  port: number,
  credentials = grpc.credentials.createInsecure(),
  options: grpc.ClientOptions = {},
  target = `127.0.0.1:${port}`,
): EchoClient & grpc.Client {
  const Client = grpc.makeGenericClientConstructor(ECHO, "Echo");
  return new Client(target, credentials, {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_retries": 0,
    ...options,
  }) as unknown as EchoClient & grpc.Client;
}

type Callback = (error: grpc.ServiceError | null, answer?: Buffer) => void;

export interface EchoClient {
  Say(request: Buffer, metadata: grpc.Metadata, options: grpc.CallOptions, done: Callback): grpc.ClientUnaryCall;
  Delete: EchoClient["Say"];
  Slow: EchoClient["Say"];
  Collect(metadata: grpc.Metadata, done: Callback): grpc.ClientWritableStream<Buffer>;
  Spread(request: Buffer): grpc.ClientReadableStream<Buffer>;
  Chat(): grpc.ClientDuplexStream<Buffer, Buffer>;
}

export interface Ended {
  readonly code: number;
  readonly details: string;
  readonly trailers: Record<string, grpc.MetadataValue>;
  /** Empty where there was none. */
  readonly head: Record<string, grpc.MetadataValue>;
  readonly answer: string;
}

/** One unary call and how it ended. */
export function say(
  client: EchoClient,
  {
    method = "Say",
    text = "hello",
    headers = {},
    options = {},
  }: {
    method?: "Say" | "Delete" | "Slow";
    text?: string;
    headers?: Readonly<Record<string, string>>;
    options?: grpc.CallOptions;
  } = {},
): Promise<Ended> {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return new Promise((resolve) => {
    let answer = "";
    const call = client[method](Buffer.from(text), metadata, options, (_, value) => {
      answer = String(value ?? "");
    });
    let head: Record<string, grpc.MetadataValue> = {};
    call.on("metadata", (metadata) => {
      head = metadata.getMap();
    });
    call.on("status", ({ code, details, metadata: trailers }) =>
      setImmediate(() => resolve({ code, details, trailers: trailers.getMap(), head, answer })),
    );
  });
}
