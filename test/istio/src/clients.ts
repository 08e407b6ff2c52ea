/** Clients of a process whose `http` and `undici` are patched, and those that are given the mesh. None follows redirects. */

import { createFetch } from "@inmesh/http";
import { axiosOptions } from "@inmesh/http/axios";
import { gotOptions } from "@inmesh/http/got";
import { createHttp } from "@inmesh/http/node";
import { Pool } from "undici";
import { axiosClient } from "../../conformance/src/client/axios.js";
import type { Client } from "../../conformance/src/client/client.js";
import { fetchClient, kyClient, nodeFetchClient } from "../../conformance/src/client/fetches.js";
import { gotClient } from "../../conformance/src/client/got.js";
import { httpRequest } from "../../conformance/src/client/node-http.js";
import { superagentClient } from "../../conformance/src/client/superagent.js";
import { undiciRequest } from "../../conformance/src/client/undici.js";
import type { DataPath } from "./data-path.js";

/** What a recorded request may ask of a client. */
export type Ability = "ownHost" | "bareHeaders";

export interface Caller {
  readonly client: Client;
  /** Why it cannot say every recorded request. */
  readonly cannot: Readonly<Partial<Record<Ability, string>>>;
}

const MANUAL = { redirect: "manual" };

const BARE_HEADERS = "it adds headers of its own, which rules of the request look at";
const FETCHES = {
  ownHost: "fetch drops a Host header: the URL's stays, in lower case and without port 80",
  bareHeaders: BARE_HEADERS,
};
const ADDS = { bareHeaders: BARE_HEADERS };

/** In a process whose http and undici are patched. */
export function patchedClients(): readonly Caller[] {
  const pools = new Map<string, Pool>();
  const poolOf = (url: string): Pool => {
    const { origin } = new URL(url);
    const pool = pools.get(origin) ?? new Pool(origin);
    pools.set(origin, pool);
    return pool;
  };
  const overFetch = { adapter: "fetch", maxRedirects: 0, fetchOptions: MANUAL } as object;
  return [
    { client: fetchClient("fetch", fetch, MANUAL), cannot: FETCHES },
    { client: undiciRequest("undici request"), cannot: {} },
    { client: undiciRequest("undici own Pool", poolOf), cannot: {} },
    { client: kyClient(MANUAL), cannot: FETCHES },
    { client: httpRequest("http.request"), cannot: {} },
    { client: axiosClient("axios", () => ({ maxRedirects: 0 })), cannot: ADDS },
    { client: axiosClient("axios, fetch adapter", () => overFetch), cannot: FETCHES },
    { client: gotClient("got", () => ({ followRedirect: false })), cannot: ADDS },
    { client: nodeFetchClient(MANUAL), cannot: ADDS },
    { client: superagentClient(0), cannot: {} },
  ];
}

/** Given the mesh by their owner. */
export function givenClients({ dispatcher, client }: DataPath): readonly Caller[] {
  const axios = axiosOptions(client, { maxRedirects: 0 }) as object;
  const got = { ...gotOptions(client), followRedirect: false } as object;
  return [
    { client: fetchClient("mesh.fetch", createFetch(dispatcher) as never, MANUAL), cannot: FETCHES },
    { client: httpRequest("mesh.http.request", { ask: createHttp(client).request as never }), cannot: {} },
    { client: axiosClient("axios, mesh.axios()", () => axios), cannot: ADDS },
    { client: gotClient("got, mesh.got()", () => got), cannot: ADDS },
  ];
}
