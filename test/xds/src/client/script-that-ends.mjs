// Watches one resource of the server named, and has nothing else to do once it was told.

import { systemClock, systemRandom } from "@inmesh/core";
import { AdsClient, createEndpointType, encodeNode, GrpcTransport } from "@inmesh/xds/client";

const access = () => ({ tls: undefined, token: undefined });
const transport = new GrpcTransport({ address: process.argv[2], access, clock: systemClock });
const client = new AdsClient({
  servers: [{ transport, failOnDataErrors: false, slowIsNotAbsent: false }],
  mode: "sotw",
  node: encodeNode({ id: "script" }, "0"),
  clock: systemClock,
  random: systemRandom,
});
const waiting = setTimeout(() => console.log("never told"), 20_000);
client.watch(createEndpointType("grpc"), {
  names: ["a"],
  onChanges: ({ changed }) => {
    console.log(`told ${changed.get("a").localities[0].endpoints[0].port}`);
    clearTimeout(waiting);
  },
});
