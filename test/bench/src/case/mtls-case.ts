/**
 * A call between members of the mesh, over mTLS on connections that are kept, beside the same call in plaintext; and what
 * both are without the mesh.
 */

import { createPublicKey } from "node:crypto";
import { Engine, SnapshotStore, systemClock, systemRandom } from "@inmesh/core";
import { MeshDispatcher } from "@inmesh/http";
import { CIPHERS, HttpTransport } from "@inmesh/http/internal";
import { generateKey, privateKeyPem, WorkloadIdentity } from "@inmesh/identity";
import { createAuthority } from "@inmesh/identity/ca";
import * as undici from "undici";
import { CLIENT, snapshot, workloads } from "../lib/policy.js";
import { startUpstream, type Upstream } from "../lib/upstream.js";
import { meshOf, requests } from "./mesh-cases.js";
import { type RequestCase, WIDTH } from "./request-case.js";

const authority = createAuthority({ trustDomains: ["cluster.local"], wallTime: systemClock.wallTime });

function leafOf(service: string): { readonly cert: string; readonly key: string } {
  const key = generateKey();
  const id = `spiffe://cluster.local/ns/${CLIENT.namespace}/sa/${service}`;
  const { certificateChain: cert } = authority.signKey(createPublicKey(key), id);
  return { cert, key: privateKeyPem(key) };
}

/** Any certificate that clients show is to be of these. */
const ca = [...authority.bundles.values()].flat();

function startMember(): Promise<Upstream> {
  return startUpstream(1, { ...leafOf("reviews"), ca, ciphers: CIPHERS });
}

export const MTLS_CASES: Readonly<Record<string, RequestCase>> = {
  mtls: {
    name: "the same over mTLS",
    async start({ ports }) {
      const secure = await startMember();
      const { cert: certificateChain, key: privateKey } = leafOf(CLIENT.service);
      const source = {
        description: "the benchmark",
        renewal: "asked",
        obtain: () => Promise.resolve({ certificateChain, privateKey, roots: ca.join("") }),
      } as const;
      const identity = new WorkloadIdentity({ source, clock: systemClock, random: systemRandom });
      identity.start();
      await identity.ready(5_000);
      const store = new SnapshotStore();
      const engine = new Engine({ store });
      const members = workloads("reviews", 1, { firstPort: secure.port }).map((each) => ({ ...each, member: true }));
      store.publish(snapshot([], members));
      const transport = new HttpTransport({ clock: engine.clock, undici: () => undici, identity });
      const dispatcher = new MeshDispatcher({ engine, transport });
      const plain = meshOf("", ports);
      return {
        baseline: { name: "inmesh, default policy, in plaintext", run: requests(plain.dispatcher, "http://reviews") },
        candidate: { name: "the same over mTLS", run: requests(dispatcher, "http://reviews") },
        async close() {
          await plain.close();
          await dispatcher.close();
          await transport.close();
          engine.close();
          await identity.close();
          secure.stop();
        },
      };
    },
  },
  "mtls-bare": {
    name: "the same over mTLS, bare",
    async start({ port }) {
      const secure = await startMember();
      const plain = new undici.Agent({ connections: WIDTH });
      // Whom the certificate names is what a mesh asks beyond it.
      const connect = { ...leafOf(CLIENT.service), ca, checkServerIdentity: () => undefined };
      const agent = new undici.Agent({ connections: WIDTH, connect });
      return {
        baseline: { name: "bare undici, in plaintext", run: requests(plain, `http://127.0.0.1:${port}`) },
        candidate: { name: "the same over mTLS, bare", run: requests(agent, `https://127.0.0.1:${secure.port}`) },
        async close() {
          await Promise.all([plain.close(), agent.close()]);
          secure.stop();
        },
      };
    },
  },
};
