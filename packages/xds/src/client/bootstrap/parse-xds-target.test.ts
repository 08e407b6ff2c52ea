import { describe, expect, it } from "vitest";
import { parseXdsTarget } from "./parse-xds-target.js";

const FILES: Readonly<Record<string, string>> = {
  "/b.json": JSON.stringify({
    xds_servers: [
      {
        server_uri: "unix:///etc/istio/proxy/XDS",
        channel_creds: [{ type: "google_default" }, { type: "insecure" }],
        server_features: ["xds_v3", "fail_on_data_errors"],
      },
    ],
    node: { id: "sidecar~10.0.0.1~web.shop~shop.svc.cluster.local", metadata: { GENERATOR: "grpc" } },
    certificate_providers: {
      default: {
        plugin_name: "file_watcher",
        config: { certificate_file: "/c", private_key_file: "/k", ca_certificate_file: "/r", refresh_interval: "900s" },
      },
      vault: { plugin_name: "vault", config: {} },
    },
    server_listener_resource_name_template: "xds.istio.io/grpc/lds/inbound/%s",
    authorities: { other: { xds_servers: [{ server_uri: "o:1", channel_creds: [{ type: "tls", config: {} }] }] } },
  }),
};

function target(url: string, env: Readonly<Record<string, string>> = {}) {
  return parseXdsTarget(url, {
    env,
    readFile: (path) => {
      const text = FILES[path];
      if (text === undefined) throw new Error("ENOENT");
      return text;
    },
  });
}

describe("parseXdsTarget", () => {
  it.each([
    ["xds://istiod.istio-system:15012", "istiod.istio-system:15012", true],
    ["xds://istiod.istio-system", "istiod.istio-system:15012", true],
    ["xds://istiod:15010", "istiod:15010", false],
    ["xds://control-plane:18000", "control-plane:18000", true],
    ["xds://control-plane:18000?tls=off", "control-plane:18000", false],
    ["xds://127.0.0.1:18000", "127.0.0.1:18000", false],
    ["xds://localhost:18000/?tls=on", "localhost:18000", true],
    ["xds://[::1]:18000?ca=/ca.pem", "[::1]:18000", true],
    ["xds://unix:/run/xds.sock", "unix:/run/xds.sock", false],
    ["XDS://unix:///run/xds.sock?profile=grpc", "unix:/run/xds.sock", false],
  ])("%s is %s, over TLS: %s", (url, address, tls) => {
    const { servers } = target(url);
    expect(servers).toHaveLength(1);
    expect([servers[0]?.address, servers[0]?.tls !== undefined]).toEqual([address, tls]);
  });

  it("takes each profile in the form that its generator does best, unless told", () => {
    const forms = ["", "?profile=envoy", "?profile=grpc", "?profile=grpc&mode=delta"].map((query) => {
      const { profile, mode } = target(`xds://i:15010${query}`);
      return `${profile} ${mode}`;
    });
    expect(forms).toEqual(["api delta", "envoy delta", "grpc sotw", "grpc delta"]);
  });

  it("takes servers that no name is written for where the URL says so, and says of which profiles that is a word", () => {
    const accepts = ["?profile=envoy", "?profile=envoy&unnamed-servers=refuse", "?profile=grpc&unnamed-servers=accept"];
    expect(accepts.map((query) => target(`xds://i:15010${query}`).acceptsUnnamed)).toEqual([false, false, true]);
    expect(() => target("xds://i:15010?unnamed-servers=accept")).toThrow("profile=envoy and profile=grpc");
    expect(() => target("xds://i:15010?profile=envoy&unnamed-servers=yes")).toThrow("expected refuse or accept");
  });

  it("hands on files, names and servers to fall back to", () => {
    const url =
      "xds://i:15012?ca=/ca&cert=/c&key=/k&token=/t&server-name=istiod&cluster=west&fallback=j:15012&fallback=k:1";
    const { servers, cluster } = target(url);
    expect(servers.map(({ address }) => address)).toEqual(["i:15012", "j:15012", "k:1"]);
    expect(servers[1]).toMatchObject({
      tokenFile: "/t",
      tls: { caFile: "/ca", certFile: "/c", keyFile: "/k", serverName: "istiod", meshIdentity: false },
    });
    expect(cluster).toBe("west");
  });

  it.each([
    ["xds://", /it names no server; .*GRPC_XDS_BOOTSTRAP/],
    ["xds://i:0", /found i:0, expected host:port/],
    ["xds://i:15012/path", /found i:15012\/path, expected host:port/],
    ["xds://unix:run", /an absolute path/],
    ["xds://i?mode=rest", /mode=rest, expected sotw or delta/],
    ["xds://i?profil=api", /the parameter profil is unknown, expected profile, /],
    ["xds://i?ca=", /ca is empty/],
    ["xds://i?mode=sotw&mode=delta", /mode is there more than once/],
    ["xds://i:15010?token=/t&tls=off", /token=…&tls=off: token needs TLS/],
    ["xds://i?cert=/c", /cert and key go together/],
    ["xds://i?tls=off&ca=/c", /tls=off, and a parameter/],
    ["xds://i?identity=mesh&cert=/c&key=/k", /exclude each other/],
  ])("refuses %s, and says why", (url, problem) => {
    expect(() => target(url)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
    expect(() => target(url)).toThrow(problem);
  });

  it("takes the bootstrap of gRPC's clients where the URL names no server", () => {
    const read = target("xds://?profile=grpc", { GRPC_XDS_BOOTSTRAP: "/b.json", GRPC_XDS_BOOTSTRAP_CONFIG: "{}" });
    expect(read.servers).toEqual([
      {
        address: "unix:///etc/istio/proxy/XDS",
        tls: undefined,
        tokenFile: undefined,
        features: new Set(["xds_v3", "fail_on_data_errors"]),
      },
    ]);
    expect(read.node).toMatchObject({ metadata: { GENERATOR: "grpc" } });
    expect(read.certificates.get("default")).toEqual({
      certFile: "/c",
      keyFile: "/k",
      caFile: "/r",
      refreshMs: 900_000,
    });
    expect(read.unusable).toEqual([
      "certificate provider vault is of the kind vault, where only file_watcher is known",
    ]);
    expect(read.serverListenerTemplate).toBe("xds.istio.io/grpc/lds/inbound/%s");
    expect(read.authorities.get("other")).toMatchObject({
      listenerTemplate: "xdstp://other/envoy.config.listener.v3.Listener/%s",
      servers: [{ address: "o:1", tls: { caFile: undefined } }],
    });
  });

  it.each([
    ["{", /^GRPC_XDS_BOOTSTRAP_CONFIG: found "\{", expected JSON/],
    ["{}", /GRPC_XDS_BOOTSTRAP_CONFIG: xds_servers: found nothing, expected a list with at least one server/],
    [{ xds_servers: [{ server_uri: 5 }] }, /xds_servers\[0\].server_uri: found 5, expected a text/],
    [{ xds_servers: [{ server_uri: "a", channel_creds: [{ type: "alts" }] }] }, /channel_creds: found .*"insecure"/],
    [withServer({ authorities: { x: { client_listener_resource_name_template: "y" } } }), /begins with xdstp:\/\/x\//],
    [withServer({ node: { metadata: [] } }), /node.metadata: found \[\], expected an object/],
    [
      withServer({ certificate_providers: { a: { plugin_name: "file_watcher", config: { certificate_file: "/c" } } } }),
      /together/,
    ],
  ])("refuses the bootstrap %j, and says where", (bootstrap, problem) => {
    const text = typeof bootstrap === "string" ? bootstrap : JSON.stringify(bootstrap);
    const env = { GRPC_XDS_BOOTSTRAP_CONFIG: text };
    expect(() => target("xds://", env)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
    expect(() => target("xds://", env)).toThrow(problem);
  });

  it("names the bootstrap file that cannot be read, and a parameter that the file has the say of", () => {
    expect(() => target("xds://", { GRPC_XDS_BOOTSTRAP: "/none" })).toThrow(/GRPC_XDS_BOOTSTRAP=\/none cannot be read/);
    expect(() => target("xds://?ca=/c", { GRPC_XDS_BOOTSTRAP: "/b.json" })).toThrow(
      /ca is for a server that the URL names/,
    );
  });
});

function withServer(more: object): object {
  return { xds_servers: [{ server_uri: "a", channel_creds: [{ type: "insecure" }] }], ...more };
}
