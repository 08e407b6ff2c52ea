/** A client whose policy is compiled from documents, over sockets. */

import { Engine } from "@inmesh/core";
import { compile } from "@inmesh/model";
import * as undici from "undici";
import { SnapshotStore } from "../../core/src/snapshot/store.js";
import { resourcesOf } from "../../core/src/testing/recorded-cases.test.helper.js";
import { HttpTransport } from "../src/client/transport.js";
import { MeshDispatcher } from "../src/undici/mesh-dispatcher.js";

export interface CompiledMesh extends AsyncDisposable {
  readonly engine: Engine;
  readonly dispatcher: MeshDispatcher;
}

/** @param resources as of a YAML document; the client is `app` of namespace `shop` */
export function compiledMesh(resources: readonly unknown[]): CompiledMesh {
  const store = new SnapshotStore();
  const client = { namespace: "shop", service: "app", labels: {} };
  const all = resourcesOf(resources);
  store.publish(compile({ resources: all, workloads: [], client, problems: [], version: 1 }, undefined));
  const engine = new Engine({ store });
  const transport = new HttpTransport({ clock: engine.clock, undici: () => undici });
  return {
    engine,
    dispatcher: new MeshDispatcher({ engine, transport }),
    async [Symbol.asyncDispose]() {
      engine.close();
      await transport.destroy(new Error("the test is over"));
    },
  };
}

/** `name.shop.svc.cluster.local`, port 80, on these ports of this machine. */
export function serviceEntry(name: string, ports: readonly number[]): unknown {
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "ServiceEntry",
    metadata: { name, namespace: "shop" },
    spec: {
      hosts: [`${name}.shop.svc.cluster.local`],
      ports: [{ number: 80, name: "http", protocol: "HTTP" }],
      location: "MESH_INTERNAL",
      resolution: "STATIC",
      endpoints: ports.map((port) => ({ address: "127.0.0.1", ports: { http: port } })),
    },
  };
}
