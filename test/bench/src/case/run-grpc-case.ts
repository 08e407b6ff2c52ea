/** Entry of a measuring process: calls of gRPC, or messages of its streams, bare and through the mesh, in paired slices. */

import { type ChannelCredentials, type ClientOptions, credentials, makeGenericClientConstructor } from "@grpc/grpc-js";
import { Engine, SnapshotStore, systemClock } from "@inmesh/core";
import { GrpcClient } from "@inmesh/grpc";
import { HttpTransport } from "@inmesh/http/internal";
import { REVIEWS, startGrpcUpstream } from "../lib/grpc-upstream.js";
import { concurrently, paired, type Variant } from "../lib/paired.js";
import { resources, snapshot, workloads } from "../lib/policy.js";
import { BODY } from "../lib/upstream.js";
import { EVERYTHING } from "./mesh-cases.js";
import { WIDTH } from "./request-case.js";

const Client = makeGenericClientConstructor(REVIEWS, "Reviews");
const request = Buffer.from(BODY);

/** Messages of a stream. */
const STREAM = 1_000;

const KINDS = {
  unary: { options: { rounds: 60, slice: 200, warmUp: 3_000 }, run: unary },
  stream: { options: { rounds: 40, slice: 8_000, warmUp: 16_000 }, run: stream },
} as const;

function unary(client: InstanceType<typeof Client>, count: number): Promise<void> {
  const call = () =>
    new Promise<void>((resolve, reject) => {
      client["get"]!(request, (error: Error | null) => (error === null ? resolve() : reject(error)));
    });
  return concurrently(count, WIDTH, call);
}

function stream(client: InstanceType<typeof Client>, count: number): Promise<void> {
  const asked = Buffer.alloc(4);
  asked.writeUInt32BE(STREAM);
  const call = () =>
    new Promise<void>((resolve, reject) => {
      client["list"]!(asked)
        .on("data", () => {})
        .on("error", reject)
        .on("end", resolve);
    });
  return concurrently(count / STREAM, 4, call);
}

const kind = KINDS[process.argv[2] as keyof typeof KINDS];
const upstream = await startGrpcUpstream();
const store = new SnapshotStore();
const engine = new Engine({ store });
store.publish(snapshot(resources(EVERYTHING), workloads("reviews", 1, { firstPort: upstream.port })));
const transport = new HttpTransport({
  clock: systemClock,
  undici: () => {
    throw new Error("nothing here is HTTP");
  },
});
const mesh = new GrpcClient({ engine, dials: transport.dials });

function variant(name: string, target: string, creds: ChannelCredentials, options: ClientOptions): Variant {
  const client = new Client(target, creds, options);
  return { name, run: (count) => kind.run(client, count) };
}

const rows = await paired(
  variant("bare grpc-js", `127.0.0.1:${upstream.port}`, credentials.createInsecure(), {}),
  [variant("inmesh, every mechanism on", "reviews:80", mesh.credentials(), mesh.options())],
  kind.options,
);
engine.close();
mesh.close();
upstream.stop();
process.send?.(rows);
process.disconnect();
