/** Who calls: clients that share a process, and how the mesh gets into it. */

import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { Mesh } from "@inmesh/node";
import { Agent, Pool, fetch as undiciFetch } from "undici";
import { axiosClient } from "./axios.js";
import type { Client } from "./client.js";
import { fetchClient, kyClient, nodeFetchClient } from "./fetches.js";
import { gotClient } from "./got.js";
import { httpGet, httpRequest, httpsRequest } from "./node-http.js";
import { superagentClient } from "./superagent.js";
import { undiciPipeline, undiciRequest, undiciStream } from "./undici.js";

export interface Family {
  /** Preloaded with `--import`, the mesh patches the process; otherwise the clients are given one. */
  readonly zeroCode: boolean;
  clients(mesh: Mesh | undefined): readonly Client[];
}

const NO_AXIOS_TRAILERS = { trailers: "axios' fetch adapter has no trailers API" };

/** docs/guides/explicit-api.md. */
const AGENT_ONLY = {
  answers: "mesh.agent() only routes: what the mesh would answer itself is an error there",
  retries: "mesh.agent() only routes: what was sent is not sent again",
};

export const FAMILIES = {
  fetch: {
    zeroCode: true,
    clients: () => {
      const agent = new Agent();
      const pools = new Map<string, Pool>();
      return [
        fetchClient("fetch", fetch),
        fetchClient("undici fetch", undiciFetch),
        undiciRequest("undici request"),
        undiciStream("undici stream"),
        undiciPipeline("undici pipeline"),
        undiciRequest("undici own Agent", () => agent),
        undiciRequest("undici own Pool", (url) => poolOf(pools, url)),
        kyClient(),
        axiosClient("axios, fetch adapter", () => ({ adapter: "fetch" }), NO_AXIOS_TRAILERS),
      ];
    },
  },
  http: {
    zeroCode: true,
    clients: () => {
      const agent = new HttpAgent({ keepAlive: true });
      const secure = new HttpsAgent({ keepAlive: true });
      return [
        httpRequest("http.request"),
        httpGet(),
        httpRequest("http.request, own Agent", { options: { agent } }),
        httpsRequest("https.request"),
        httpsRequest("https.request, own Agent", { options: { agent: secure } }),
        axiosClient("axios", () => ({})),
        gotClient("got", () => ({})),
        nodeFetchClient(),
        superagentClient(),
      ];
    },
  },
  explicit: {
    zeroCode: false,
    clients: (mesh) => {
      if (mesh === undefined) throw new Error("this family is given a mesh");
      const { dispatcher } = mesh;
      const axiosOptions = mesh.axios();
      const gotOptions = mesh.got();
      return [
        fetchClient("mesh.fetch", mesh.fetch),
        undiciRequest("undici request, mesh.dispatcher", () => dispatcher),
        undiciStream("undici stream, mesh.dispatcher", dispatcher),
        undiciPipeline("undici pipeline, mesh.dispatcher", dispatcher),
        fetchClient("undici fetch, mesh.dispatcher", undiciFetch, { dispatcher }),
        httpRequest("mesh.http.request", { ask: mesh.http.request as never }),
        httpsRequest("mesh.https.request", { ask: mesh.https.request as never }),
        axiosClient("axios, mesh.axios()", () => axiosOptions as never),
        gotClient("got, mesh.got()", () => gotOptions as never),
        httpRequest("http.request, mesh.agent()", { options: { agent: mesh.agent() }, lacks: AGENT_ONLY }),
      ];
    },
  },
} as const satisfies Record<string, Family>;

export type FamilyName = keyof typeof FAMILIES;

function poolOf(pools: Map<string, Pool>, url: string): Pool {
  const { origin } = new URL(url);
  const pool = pools.get(origin) ?? new Pool(origin);
  pools.set(origin, pool);
  return pool;
}
