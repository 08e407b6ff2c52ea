/** Client libraries over the mesh, each beside itself with kept connections. What zero code does is the same code. */

import http, { type IncomingMessage } from "node:http";
import { axiosOptions } from "@inmesh/http/axios";
import { gotOptions } from "@inmesh/http/got";
import { HttpClient, HttpTransport } from "@inmesh/http/internal";
import { createHttp, type HttpFunctions } from "@inmesh/http/node";
import axios from "axios";
import got from "got";
import * as undici from "undici";
import { concurrently } from "../lib/paired.js";
import { meshOf } from "./mesh-cases.js";
import { HEADERS, PATH, type RequestCase, WIDTH } from "./request-case.js";

/** Asks once and reads the answer to its end; throws unless the status is 200. */
type Ask = (url: string) => Promise<void>;

/** One library: bare, and over a mesh. */
interface Library {
  readonly bare: () => Ask;
  readonly meshed: (client: HttpClient) => Ask;
}

const agent = () => new http.Agent({ keepAlive: true, maxSockets: WIDTH });

const LIBRARIES: Readonly<Record<string, Library>> = {
  fetch: {
    bare: () => async (url) => read(await fetch(url, { headers: HEADERS })),
    meshed: (client) => {
      const dispatcher = client.dispatcher((options, handler) => client.dispatch(options, handler));
      return async (url) => read(await fetch(url, { headers: HEADERS, dispatcher } as object));
    },
  },
  "node:http": {
    bare: () => overNode(http, { agent: agent() }),
    meshed: (client) => overNode(createHttp(client), {}),
  },
  axios: {
    bare: () => overAxios({ httpAgent: agent() }),
    meshed: (client) => overAxios(axiosOptions(client)),
  },
  got: {
    bare: () => overGot({ agent: { http: agent() } }),
    meshed: (client) => overGot(gotOptions(client)),
  },
};

/** By the library's name. */
export const CLIENT_CASES: Readonly<Record<string, RequestCase>> = Object.fromEntries(
  Object.entries(LIBRARIES).map(([name, library]) => [name, clientCase(name, library)]),
);

function clientCase(name: string, { bare, meshed }: Library): RequestCase {
  return {
    name: `${name} over inmesh`,
    start({ port }) {
      const mesh = meshOf("", [port]);
      const transport = new HttpTransport({ clock: mesh.engine.clock, undici: () => undici });
      const client = new HttpClient({ engine: mesh.engine, transport, undici: () => undici });
      return {
        baseline: { name: `${name}, bare`, run: repeated(bare(), `http://127.0.0.1:${port}${PATH}`) },
        candidate: { name, run: repeated(meshed(client), `http://reviews${PATH}`) },
        async close() {
          await transport.close();
          await mesh.close();
        },
      };
    },
  };
}

function repeated(ask: Ask, url: string): (count: number) => Promise<void> {
  return (count) => concurrently(count, WIDTH, () => ask(url));
}

async function read(answer: Response): Promise<void> {
  if (answer.status !== 200) throw new Error(`answered ${answer.status}`);
  await answer.arrayBuffer();
}

function overNode(module: Pick<HttpFunctions, "get">, options: http.RequestOptions): Ask {
  return (url) =>
    new Promise((resolve, reject) => {
      const take = (answer: IncomingMessage): void => {
        if (answer.statusCode !== 200) reject(new Error(`answered ${answer.statusCode}`));
        answer.on("data", () => {});
        answer.on("end", resolve);
        answer.on("error", reject);
      };
      module.get(url, { ...options, headers: HEADERS }, take).on("error", reject);
    });
}

function overAxios(options: object): Ask {
  const client = axios.create({ ...options, headers: HEADERS, responseType: "arraybuffer", adapter: "http" });
  return async (url) => void (await client.get(url)); // throws for any status but 2xx
}

function overGot(options: object): Ask {
  const client = got.extend({ ...options, headers: HEADERS, retry: { limit: 0 } });
  return async (url) => void (await client.get(url).buffer()); // as axios
}
