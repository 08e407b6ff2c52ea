/**
 * What a mock of node:http lets through. msw and nock 14 give each request an agent whose connection is theirs, and
 * connect for real when nothing matched; for a host of the mesh that connection leads here: an HTTP server without a
 * port reads the request from it and makes the call.
 */

import http, { type ClientRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { type Duplex, duplexPair } from "node:stream";
import { exemptServer } from "../server/patch-servers.js";
import type { RequestTarget } from "./request-target.js";

/** Set while such a mock is in force: @mswjs/interceptors keeps itself there. */
const INTERCEPTOR: unique symbol = Symbol.for("client-request-interceptor");
/** Of one connection only. */
const HOP_BY_HOP = new Set(["connection", "keep-alive", "transfer-encoding"]);

/** Makes the call. */
type MakeRequest = (options: http.RequestOptions) => ClientRequest;
interface MockAgent {
  customAgent: unknown;
}

/**
 * The mock decides first, whether it was put over our functions or ours over it.
 * @param unmocked makes the call once the mock has let the request through
 * @returns the arguments for the function beneath ours; undefined when no mock is in force
 */
export function throughMock(
  { options, listener, method }: RequestTarget,
  args: readonly unknown[],
  unmocked: MakeRequest,
): readonly unknown[] | undefined {
  const { agent } = options;
  if (isMockAgent(agent)) {
    agent.customAgent = new PassageAgent(unmocked);
    return args;
  }
  if (!isInForce()) return undefined;
  // Without a method mocks take what was a URL for one still, and forget the rest.
  return [{ ...options, method, agent: new PassageAgent(unmocked) }, ...(listener === undefined ? [] : [listener])];
}

/** Whether such a mock is there at the moment. */
export function isInForce(): boolean {
  return (globalThis as { [INTERCEPTOR]?: unknown })[INTERCEPTOR] !== undefined;
}

/** An agent of such a mock, which connects through `customAgent` where there is one. */
export function isMockAgent(agent: unknown): agent is MockAgent {
  return agent instanceof http.Agent && agent.constructor.name.startsWith("Mock") && "customAgent" in agent;
}

/** A stub that a test has put in the place of a function. */
export function isStub(made: unknown): boolean {
  const { isSinonProxy, _isMockFunction } = made as { isSinonProxy?: boolean; _isMockFunction?: boolean };
  return isSinonProxy === true || _isMockFunction === true;
}

/** Connections that lead into the mesh. */
class PassageAgent extends http.Agent {
  readonly #server: http.Server;

  constructor(makeRequest: MakeRequest) {
    super();
    this.#server = exemptServer(http.createServer((request, response) => pass(request, response, makeRequest)));
  }

  override createConnection(): Duplex {
    const [near, far] = duplexPair();
    this.#server.emit("connection", asSocket(far));
    far.on("error", (error) => near.destroy(error));
    process.nextTick(() => near.emit("connect"));
    return asSocket(near);
  }
}

function pass(request: IncomingMessage, response: ServerResponse, makeRequest: MakeRequest): void {
  const { method, url: path, headers } = request;
  const call = makeRequest({ ...(method && { method }), path: path ?? "/", headers: endToEnd(headers) });
  call.on("response", (answer) => {
    const { statusCode = 502, statusMessage = "", rawHeaders } = answer;
    const lines = rawHeaders.filter((_, index) => !HOP_BY_HOP.has(rawHeaders[index - (index % 2)]!.toLowerCase()));
    response.writeHead(statusCode, statusMessage, lines);
    answer.pipe(response);
    answer.on("error", (error) => request.socket.destroy(error));
  });
  call.on("error", (error) => request.socket.destroy(error));
  response.on("close", () => {
    if (!response.writableFinished) call.destroy();
  });
  request.pipe(call);
}

function endToEnd(headers: http.IncomingHttpHeaders): http.OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)));
}

/** With those methods of a socket that agents, requests and servers call on theirs. */
function asSocket(side: Duplex): Duplex {
  const itself = (): Duplex => side;
  return Object.assign(side, {
    address: () => ({}),
    ...{ ref: itself, unref: itself, setKeepAlive: itself, setNoDelay: itself, setTimeout: itself },
  });
}
