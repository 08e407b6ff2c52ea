/** `MeshMode: off` drops traffic policy and opens no door: under load STRICT holds, and so does who may call. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { sendRaw } from "../process/raw-request.js";
import type { ServiceProcess } from "../process/service-process.js";
import { Town } from "../process/town.js";

/** The fault shows what the switch does: it is traffic policy. */
const POLICY = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: shop }
spec: { mtls: { mode: STRICT } }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: readers, namespace: shop }
spec:
  selector: { matchLabels: { app: app } }
  rules:
    - from: [{ source: { principals: [cluster.local/ns/shop/sa/web] } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: app, namespace: shop }
spec:
  hosts: [app]
  http:
    - match: [{ uri: { exact: /fault } }]
      fault: { abort: { httpStatus: 418, percentage: { value: 100 } } }
      route: [{ destination: { host: app } }]
    - route: [{ destination: { host: app } }]
`;
const OFF = `apiVersion: inmesh.dev/v1alpha1
kind: MeshMode
metadata: { name: default, namespace: istio-system }
spec: { mode: "off" }
`;
const WEB = "spiffe://cluster.local/ns/shop/sa/web";
const IN_FLIGHT = 8;
const PLAIN = "GET / HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n";

const town = new Town(POLICY, { INMESH_IDENTITY: "ca" });
let [app, web, rogue]: ServiceProcess[] = [];

beforeAll(async () => {
  app = await town.start("app");
  [web, rogue] = [await town.start("web"), await town.start("rogue")];
}, 60_000);
afterAll(() => town[Symbol.asyncDispose]());

it("keeps TLS and authorization while everybody calls, before, during and after", async () => {
  let over = false;
  let asked = 0;
  const load = Array.from({ length: IN_FLIGHT }, async () => {
    for (; !over; asked++) expect(await web!.ask("http://app/work")).toMatchObject({ peer: WEB }); // else it throws
  });
  const judge = async (fault: number): Promise<void> => {
    while ((await web!.call("http://app/fault")).status !== fault); // until the switch has arrived
    for (let turn = 0; turn < IN_FLIGHT; turn++) {
      const [denied, plain] = await Promise.all([rogue!.call("http://app/work"), sendRaw(app!.port, PLAIN)]);
      expect([denied.status, denied.text, plain.status]).toEqual([403, "RBAC: access denied", 0]);
    }
  };
  try {
    await judge(418);
    town.write("mode.yaml", OFF);
    await judge(200);
    town.write("mode.yaml", OFF.replace('"off"', '"on"'));
    await judge(418);
  } finally {
    over = true;
  }
  await Promise.all(load);
  expect(asked).toBeGreaterThan(IN_FLIGHT * 3);
}, 120_000);
