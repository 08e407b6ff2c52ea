/** A client on a real server, and what it has told. */

import { systemClock, systemRandom } from "@inmesh/core";
import {
  AdsClient,
  type AdsMode,
  type ClusterAssignment,
  encodeNode,
  GrpcTransport,
  type ResourceType,
  type Watch,
} from "@inmesh/xds/client";

export interface TestClientOptions {
  readonly mode: AdsMode;
  readonly addresses: readonly string[];
}

export function testClient({ mode, addresses }: TestClientOptions): AdsClient & AsyncDisposable {
  const client = new AdsClient({
    mode,
    servers: addresses.map((address) => ({
      transport: new GrpcTransport({
        address,
        access: () => ({ tls: undefined, token: undefined }),
        clock: systemClock,
      }),
      failOnDataErrors: false,
      slowIsNotAbsent: false,
    })),
    node: encodeNode({ id: "test~1", cluster: "lab" }, "0"),
    clock: systemClock,
    random: systemRandom,
  });
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}

/** Everything a watch has been told, by name; what is gone is `undefined`. */
export class Told<Value> {
  readonly values = new Map<string, Value | undefined>();
  /** How often it was told anything. */
  calls = 0;
  readonly watch: Watch;

  constructor(client: AdsClient, type: ResourceType<Value>, names: readonly string[] | "*") {
    this.watch = client.watch(type, {
      names,
      onChanges: ({ changed, removed }) => {
        this.calls += 1;
        for (const [name, value] of changed) this.values.set(name, value);
        for (const name of removed) this.values.set(name, undefined);
      },
    });
  }

  /** Ports of an assignment, in its order: `80,81`. */
  portsOf(this: Told<ClusterAssignment>, name: string): string | undefined {
    return this.values
      .get(name)
      ?.localities.flatMap(({ endpoints }) => endpoints.map(({ port }) => port))
      .join(",");
  }
}
