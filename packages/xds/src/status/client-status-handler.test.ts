import { createServer } from "node:http2";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import protobuf from "protobufjs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ResourceStatus } from "../client/watch.js";
import { CLUSTER } from "../envoy/urls.js";
import { clientStatusHandler } from "./client-status-handler.js";

const require = createRequire(import.meta.url);
const SERVICE = "/envoy.service.status.v3.ClientStatusDiscoveryService";

/** As Envoy's own .proto files have them. */
function protos() {
  const deps = join(dirname(require.resolve("@grpc/grpc-js-xds/package.json")), "deps");
  const places = ["envoy-api", "xds", "googleapis", "protoc-gen-validate"].map((name) => join(deps, name));
  const root = new protobuf.Root();
  const { existsSync } = require("node:fs") as typeof import("node:fs");
  const own = dirname(require.resolve("protobufjs/package.json"));
  root.resolvePath = (_, target) => [...places, own].map((each) => join(each, target)).find(existsSync) ?? null;
  root.loadSync("envoy/service/status/v3/csds.proto");
  return {
    request: root.lookupType("envoy.service.status.v3.ClientStatusRequest"),
    response: root.lookupType("envoy.service.status.v3.ClientStatusResponse"),
  };
}

const { request, response } = protos();
const NAMED = Uint8Array.of(10, 1, 120); // field 1 is "x"
const resource = (name: string, more: Partial<ResourceStatus>): ResourceStatus => ({
  ...{ url: CLUSTER, name, state: "ACKED", version: "7", updatedAt: 1_000 },
  ...more,
});
const RESOURCES = [
  resource("good", { bytes: NAMED }),
  resource("odd", {
    ...{ state: "NACKED", bytes: NAMED, error: "type 99 is not supported" },
    refused: { version: "8", at: 2_000, bytes: Uint8Array.of(10, 1, 121) },
  }),
  resource("awaited", { state: "REQUESTED", version: "", updatedAt: 0 }),
  resource("none", { state: "DOES_NOT_EXIST", version: "", updatedAt: 0, error: "the server says that there is none" }),
  resource("late", { state: "TIMEOUT", version: "", updatedAt: 0 }),
  resource("shop/reviews", { url: "networking.istio.io/v1/VirtualService", bytes: NAMED }),
];

interface Told {
  readonly config: readonly {
    readonly node: { readonly id: string; readonly userAgentName: string };
    readonly genericXdsConfigs: readonly Record<string, unknown>[];
  }[];
}

describe("client status discovery", () => {
  let client: Client;
  let server: ReturnType<typeof createServer>;
  let refusal: { status: number; reason: string } | undefined;
  beforeEach(async () => {
    refusal = undefined;
    server = createServer();
    const node = { id: "sidecar~10.0.0.7~web.shop~shop.svc", metadata: { NAMESPACE: "shop" }, client_features: ["x"] };
    const status = () => ({ node, version: "0.1.0", resources: RESOURCES });
    server.on("stream", clientStatusHandler({ judge: () => refusal, status }));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    client = new Client(`127.0.0.1:${(server.address() as AddressInfo).port}`, credentials.createInsecure());
  });
  afterEach(async () => {
    client.close();
    await new Promise((resolve) => server.close(resolve));
  });

  const encode = (asked: object) => Buffer.from(request.encode(request.fromObject(asked)).finish());
  const decode = (bytes: Buffer) => response.toObject(response.decode(bytes), { enums: String, longs: Number }) as Told;
  const fetchStatus = (asked: object, method = "FetchClientStatus") =>
    new Promise<Told>((resolve, reject) => {
      client.makeUnaryRequest(`${SERVICE}/${method}`, encode, decode, asked, new Metadata(), (error, told) =>
        error ? reject(error) : resolve(told as Told),
      );
    });
  const failure = (asked: object, method?: string) =>
    fetchStatus(asked, method).then(
      () => undefined,
      ({ code, details }: ServiceError) => `${code} ${details}`,
    );

  it("tells who asks, and every resource with its state, as gRPC's own clients do", async () => {
    const { config } = await fetchStatus({});
    expect(config).toHaveLength(1);
    expect(config[0]?.node).toMatchObject({ id: "sidecar~10.0.0.7~web.shop~shop.svc", userAgentName: "inmesh" });
    const told = config[0]?.genericXdsConfigs ?? [];
    expect(told.map(({ name, clientStatus }) => `${name} ${clientStatus}`)).toEqual([
      ...["good ACKED", "odd NACKED", "awaited REQUESTED", "none DOES_NOT_EXIST"],
      "late 6", // TIMEOUT is newer than these protos
      "shop/reviews ACKED",
    ]);
    expect(told[0]).toMatchObject({
      ...{ typeUrl: `type.googleapis.com/${CLUSTER}`, versionInfo: "7", lastUpdated: { seconds: 1 } },
      xdsConfig: { type_url: `type.googleapis.com/${CLUSTER}`, value: Buffer.from(NAMED) },
    });
    expect(told[1]?.["errorState"]).toMatchObject({
      ...{ details: "type 99 is not supported", versionInfo: "8", lastUpdateAttempt: { seconds: 2 } },
      failedConfiguration: { type_url: `type.googleapis.com/${CLUSTER}`, value: Buffer.of(10, 1, 121) },
    });
    expect(told[5]).toMatchObject({
      ...{ typeUrl: "networking.istio.io/v1/VirtualService" },
      xdsConfig: { type_url: "type.googleapis.com/istio.mcp.v1alpha1.Resource" },
    });
  });

  it("leaves contents out when asked to", async () => {
    const { config } = await fetchStatus({ excludeResourceContents: true });
    const [good, odd] = config[0]?.genericXdsConfigs ?? [];
    expect([good?.["xdsConfig"], odd?.["xdsConfig"]]).toEqual([undefined, undefined]);
    expect(odd?.["errorState"]).not.toHaveProperty("failedConfiguration");
  });

  it("answers each request of a stream", async () => {
    const call = client.makeBidiStreamRequest(`${SERVICE}/StreamClientStatus`, encode, decode);
    const told: Told[] = [];
    await new Promise<void>((resolve, reject) => {
      call.on("data", (each: Told) => {
        told.push(each);
        if (told.length === 1) call.write({});
        else call.end();
      });
      call.on("error", reject);
      call.on("end", resolve);
      call.write({});
    });
    expect(told.map(({ config }) => config[0]?.genericXdsConfigs.length)).toEqual([6, 6]);
  });

  it("refuses what it does not know, and whom it must", async () => {
    expect(await failure({ nodeMatchers: [{}] })).toBe("3 node_matchers are not supported: there is one node here");
    expect(await failure({}, "Other")).toContain("12 there is no ");
    refusal = { status: 401, reason: "a token is missing" };
    expect(await failure({})).toBe("16 a token is missing");
    refusal = { status: 403, reason: "not from there" };
    expect(await failure({})).toBe("7 not from there");
  });
});
