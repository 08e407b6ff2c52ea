/** @grpc/grpc-js-xds, told of a control plane in the one way it takes. */

/** @param address of the control plane, without TLS. Once in a process: its bootstrap is read when the module is loaded */
export async function registerGrpcJsXds(address: string): Promise<void> {
  const bootstrap = {
    xds_servers: [{ server_uri: address, channel_creds: [{ type: "insecure" }], server_features: ["xds_v3"] }],
    node: { id: "bench", locality: {} },
  };
  process.env["GRPC_XDS_BOOTSTRAP_CONFIG"] = JSON.stringify(bootstrap);
  (await import("@grpc/grpc-js-xds")).register();
}
