/**
 * The inbound half of a mesh: enters the context once per request. More than 400 lines, because the ways for a request to come in
 * stand beside each other: each must pass the same doors in the same order, and here it shows when one does not.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { type Arrival, InboundContext, type Rejection } from "@inmesh/core";
import type { InboundStats, ServedUnderWay } from "@inmesh/core/admin";
import { ObservedCalls } from "@inmesh/core/internal";
import { editRequest, editStream, setLines } from "./edit-head.js";
import { emitWithin } from "./emit-within.js";
import { bodyOf, bodyOfStream } from "./expected-body.js";
import { answerGrpcHealth, asksGrpcHealth, type GrpcHealth } from "./grpc-health.js";
import { tellGrpcDeadline } from "./grpc-timeout.js";
import { InFlight } from "./inbound/in-flight.js";
import { InboundCounts } from "./inbound/inbound-counts.js";
import { InboundLimits } from "./inbound/inbound-limits.js";
import { LeavingRequests } from "./inbound/leaving-requests.js";
import { onVerdict } from "./inbound/on-verdict.js";
import { runWithin } from "./inbound/run-within.js";
import { dropBaggage, identified, takeHeaders } from "./inbound-headers.js";
import { type Answer, type InboundEngine, InboundRequest } from "./inbound-request.js";
import type { AnyServer } from "./patch-servers.js";
import { foldsPathCase } from "./path-case.js";
import { isGrpc } from "./record/grpc-facts.js";
import { watchHeads, watchStreamHeads } from "./record/head-watch.js";
import { InboundRecord } from "./record/inbound-record.js";
import type { Refusal } from "./record/refusal-details.js";
import { RequestFacts } from "./record/request-facts.js";
import {
  addToStream,
  answerUpgrade,
  type LiveAnswer,
  type LocalAnswer,
  openLive,
  openLiveStream,
  rejectRequest,
  rejectStream,
} from "./reject.js";
import type { RequestHead } from "./request-head.js";
import { ServedArrival } from "./served-arrival.js";
import { ServedHead } from "./served-head.js";
import { StreamAnswer } from "./stream-answer.js";
import { connectionOf } from "./tls/connection.js";
import type { ServerSecurity } from "./tls/server-security.js";

const NONE: readonly string[] = [];
const FORBIDDEN = 403;

export class Inbound {
  readonly #engine: InboundEngine;
  readonly #security: ServerSecurity | undefined;
  /** Who called what. */
  readonly observed: ObservedCalls;
  /** Answers the mesh's own paths before anything is judged or counted, for whoever asks. Undefined: it has none. */
  reserved: ((method: string, target: string) => LocalAnswer | undefined) | undefined;
  /** The mesh's own pages under a path of the application's ports, for whom access control has let in. Undefined: none. */
  remote: RemotePages | undefined;
  /** How the process is, for callers that ask as gRPC does, where the application has no answer. Undefined: nobody says. */
  health: GrpcHealth | undefined;
  readonly #record = new InboundRecord();
  readonly #counts = new InboundCounts();
  readonly #inFlight = new InFlight((inbound, answer, status) => this.#ended(inbound, answer, status));
  readonly #limits: InboundLimits;
  readonly #leaving: LeavingRequests;
  /** Answers of the mesh's own that go on. */
  readonly #live = new Set<Writable>();
  #retiring = false;

  /** @param security who calls, and whether they may; undefined: nobody knows, and everybody may */
  constructor(engine: InboundEngine, security?: ServerSecurity) {
    this.#engine = engine;
    this.#security = security;
    this.observed = new ObservedCalls(engine.clock);
    if (!engine.onlyObserves) watchHeads();
    const limits = new InboundLimits(engine, this.#counts);
    this.#limits = limits;
    const contextOf = this.#contextOf.bind(this);
    this.#leaving = new LeavingRequests({ engine, security, limits, counts: this.#counts, contextOf });
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** The end has begun: see `retireConnections`. */
  get retiring(): boolean {
    return this.#retiring;
  }

  /** Requests begun so far. */
  get arrived(): number {
    return this.#counts.arrived;
  }

  /** Requests whose `traceparent` nobody can read, so far. */
  get malformedTraces(): number {
    return this.#counts.malformedTraces;
  }

  /** An application that requests are handed to, as far as somebody knows it. */
  meet(application: unknown): void {
    if (foldsPathCase(application)) this.#engine.guard?.foldsCase?.();
  }

  /** Whether the request, or the stream of one, is in this mesh already. */
  serves(carrier: object): boolean {
    return InboundRequest.isServed(carrier, this);
  }

  /**
   * Runs `work`, which hands the request to the application, inside the request's context.
   * @returns true when the mesh answered instead
   */
  request<Result>(request: IncomingMessage, response: ServerResponse, work: () => Result): Result | true {
    if (this.serves(request)) return work();
    const { guard } = this.#engine;
    // Made by hand, as Fastify's inject() makes them: it has no connection of a server's and need not end.
    if (serverOf(request) === undefined) return this.uncounted(request, work);
    // One that left HTTP by the server's "upgrade" event, and which a framework's WebSocket plug-in hands to its router.
    if ((request as Upgradable).upgrade === true) {
      return this.#leaving.take(request, request, request.socket, work, {
        answer: (refusal) => rejectRequest(response, refusal),
        arrival: (context) => ServedArrival.of(request, { context }),
        edit: (passage) => editRequest(request, passage),
        gone: () => response.closed,
      });
    }
    const own = this.reserved?.(request.method ?? "", request.url ?? "");
    if (own !== undefined && !response.headersSent) {
      if (this.#retiring) response.setHeader("connection", "close");
      return rejectRequest(response, own);
    }
    const inbound = new InboundRequest(this, this.#engine, request, request, response);
    this.#add(inbound);
    this.#begin(inbound, request, request, request.socket);
    const pipelined = response.socket === null ? this.#inFlight.followSocket(request.socket, inbound) : undefined;
    response.on("close", () => {
      this.#inFlight.end(inbound);
      pipelined?.delete(inbound);
    });
    if (this.#retiring) inbound.retire();
    const turnedAway = this.#security?.meet(request.socket, request, inbound);
    if (turnedAway !== undefined && !response.headersSent) {
      return this.#deny(inbound, turnedAway, () => rejectRequest(response, turnedAway));
    }
    if (guard?.active !== true || response.headersSent) return this.#serve(inbound, request, response, work);
    const arrival = ServedArrival.of(request, { context: inbound, openBody: () => bodyOf(request, response) });
    const verdict = guard.enter(arrival, inbound.startedAt);
    if (verdict === undefined) return this.#serve(inbound, request, response, work); // nearly all that pass
    return onVerdict(verdict, {
      refuse: (rejection) => {
        this.#observe(inbound, request.method, request.url, rejection);
        return this.#deny(inbound, rejection, () => rejectRequest(response, rejection));
      },
      pass: (passage) => {
        if (passage !== undefined) editRequest(request, passage);
        const answer = passage?.answer ?? NONE;
        for (let index = 0; index < answer.length; index += 2)
          response.appendHeader(answer[index]!, answer[index + 1]!); // flat pairs
        return this.#serve(inbound, request, response, work);
      },
      gone: () => inbound.over,
    });
  }

  /** The same for a request on an HTTP/2 stream, whichever of Node's two interfaces the application uses. */
  stream<Result>(stream: ServerHttp2Stream, head: RequestHead, work: () => Result): Result | true {
    if (this.serves(stream)) return work();
    if (stream.destroyed) return this.uncounted(head, work);
    const { guard } = this.#engine;
    const socket = stream.session?.socket;
    if (head.headers[":method"] === "CONNECT") {
      return this.#leaving.take(head, stream, socket, work, {
        answer: (refusal) => rejectStream(stream, head, refusal),
        arrival: (context) => ServedArrival.ofStream(head, socket, { context }),
        edit: (passage) => editStream(head, passage),
        limited: () => ServedHead.ofStream(head),
        gone: () => stream.destroyed,
      });
    }
    const own = this.reserved?.(`${head.headers[":method"]}`, `${head.headers[":path"]}`);
    if (own !== undefined && !stream.headersSent) return rejectStream(stream, head, own);
    watchStreamHeads(stream);
    const inbound = new InboundRequest(this, this.#engine, stream, head, new StreamAnswer(stream));
    if (!this.#engine.onlyObserves && isGrpc(text(head.headers["content-type"])))
      tellGrpcDeadline(head, inbound.deadlineAt - inbound.startedAt);
    this.#add(inbound);
    this.#begin(inbound, stream, head, socket);
    stream.once("close", () => this.#inFlight.end(inbound));
    const turnedAway = this.#security?.meet(socket, head, inbound);
    if (turnedAway !== undefined && !stream.headersSent) {
      return this.#deny(inbound, turnedAway, () => rejectStream(stream, head, turnedAway));
    }
    if (guard?.active !== true || stream.headersSent) return this.#serveStream(inbound, stream, head, work);
    const openBody = (): Readable => bodyOfStream(stream, head);
    const arrival = ServedArrival.ofStream(head, socket, { context: inbound, openBody });
    const verdict = guard.enter(arrival, inbound.startedAt);
    if (verdict === undefined) return this.#serveStream(inbound, stream, head, work);
    return onVerdict(verdict, {
      refuse: (rejection) => {
        const { headers } = head;
        this.#observe(inbound, headers[":method"], headers[":path"], rejection);
        return this.#deny(inbound, rejection, () => rejectStream(stream, head, rejection));
      },
      pass: (passage) => {
        if (passage !== undefined) {
          editStream(head, passage);
          if (passage.answer.length > 0) addToStream(stream, passage.answer);
        }
        return this.#serveStream(inbound, stream, head, work);
      },
      gone: () => inbound.over,
      stream,
    });
  }

  /** What has no answer, as a request made by hand: in context, without deadline, and not counted. */
  uncounted<Result>(head: RequestHead, work: () => Result, socket?: Socket): Result {
    return this.#engine.contexts.run(this.#contextOf(head, socket), work);
  }

  /** The same for a request to leave HTTP: limits hold for its beginning, and for nothing that follows. @param received bytes that came behind its head */
  upgrade(request: IncomingMessage, work: () => boolean, received = 0): boolean {
    const { socket } = request;
    const handOver = (): boolean => {
      socket.removeListener("error", ignore);
      return work();
    };
    return this.#leaving.take(request, request, socket, handOver, {
      received,
      answer: (refusal) => answerUpgrade(socket, refusal),
      // Nobody else listens while somebody is asked about it, and a reset would end the process.
      met: () => void socket.on("error", ignore),
      arrival: (context) => ServedArrival.of(request, { context }),
      edit: (passage) => editRequest(request, passage),
      limited: () => ServedHead.of(request),
      gone: () => socket.destroyed,
    });
  }

  /** From now on every answer asks its caller to open a new connection, elsewhere. */
  retireConnections(): void {
    this.#retiring = true;
    for (const each of this.#live) each.end();
    for (const request of this.#inFlight) request.retire();
  }

  /** Resolves once nothing is in flight, at once if so. @param signal stops the wait: the promise then resolves, too */
  idle(signal: AbortSignal): Promise<void> {
    return this.#inFlight.idle(signal);
  }

  /** Requests that are being served, the newest first; for who taps. */
  underWay(): Iterable<ServedUnderWay> {
    return this.#inFlight.underWay();
  }

  /** Ends the count of requests whose end nobody told us of. */
  reap(): void {
    this.#inFlight.reap();
  }

  /** Counts from zero; `arrived`, by which the end is judged, goes on. */
  resetCounters(): void {
    this.#counts.reset();
  }

  read(): InboundStats {
    this.reap();
    return this.#counts.read(this.#inFlight.size);
  }

  /** What is kept of it for its record, and its span: before anybody judges it, since the refused are seen, too. */
  #begin(
    inbound: InboundRequest,
    carrier: IncomingMessage | ServerHttp2Stream,
    head: RequestHead,
    socket: Socket | undefined,
  ): void {
    const { sinks, tracing, store, trustsBaggage } = this.#engine;
    // Whose word counts for what is judged by it.
    inbound.peer = connectionOf(socket)?.peer;
    if (trustsBaggage?.(inbound.peer) === false && this.#engine.inForce) {
      inbound.forward = dropBaggage(head, inbound.forward);
    }
    if (inbound.malformedTrace) this.#counts.malformedTraces += 1;
    if (tracing === undefined && sinks?.any !== true) return;
    const facts = new RequestFacts(carrier, head, socket, inbound.startedAt, store?.current?.version ?? 0);
    facts.takeIds(inbound.forward);
    inbound.facts = facts;
    this.#engine.watchStalls?.(inbound.startedAt);
    if (tracing !== undefined) inbound.span = tracing.startRequest(inbound, facts);
  }

  /**
   * A page of the mesh's own. One that is shown is none of the application's requests and counts as none: who looks, or looks on for
   * an hour, makes no service slow. Who is refused is told of like any other.
   */
  #show(
    inbound: InboundRequest,
    page: Promise<LocalAnswer | LiveAnswer>,
    { gone, send, open }: { gone(): boolean; send(page: LocalAnswer): unknown; open(page: LiveAnswer): Writable },
  ): true {
    void page.then((found) => {
      if (gone()) return;
      if (found.status !== FORBIDDEN) this.#uncount(inbound);
      if (!("run" in found)) return void send(found);
      const live = open(found);
      this.#live.add(live);
      live.once("close", () => this.#live.delete(live));
      if (this.#retiring) live.end();
    });
    return true;
  }

  #uncount(inbound: InboundRequest): void {
    inbound.refused = true;
    inbound.untold = true;
    this.#counts.uncount();
  }

  /** Of work that no deadline ends. */
  #contextOf(head: RequestHead, socket: Socket | undefined): InboundContext {
    const { onlyObserves, forwardHeaders, trustsBaggage, inForce, sinks, tracing } = this.#engine;
    const { forward: given, malformed } = takeHeaders(head, onlyObserves, forwardHeaders);
    const peer = connectionOf(socket)?.peer;
    const dropped = inForce && trustsBaggage?.(peer) === false;
    const heard = inForce && (tracing !== undefined || sinks?.any === true);
    if (malformed && heard) this.#counts.malformedTraces += 1;
    const forward = heard ? identified(given, malformed).forward : given;
    const context = new InboundContext(Number.POSITIVE_INFINITY, dropped ? dropBaggage(head, forward) : forward);
    context.peer = peer;
    return context;
  }

  /** To the application. */
  #hand<Result>(inbound: InboundRequest, work: () => Result): Result {
    const { facts } = inbound;
    if (facts !== undefined && facts.servedAt === 0) facts.servedAt = this.#engine.clock.now();
    return runWithin(this.#engine, inbound, work);
  }

  /** Everybody hears what became of it. */
  #tell(inbound: InboundRequest, facts: RequestFacts, answer: Answer, cut: boolean, now: number): void {
    const { sinks, clock, stalls } = this.#engine;
    const record = this.#record.fill(inbound, facts, answer, cut, now, clock);
    record.stallMs = stalls?.stalledMs(facts.startedAt, now) ?? 0;
    inbound.span?.end(record);
    if (!inbound.untold) sinks?.ended(record);
    inbound.facts = undefined;
  }

  /** Past the guard: deadline, limits, application. */
  #serve<Result>(
    inbound: InboundRequest,
    request: IncomingMessage,
    response: ServerResponse,
    work: () => Result,
  ): Result | true {
    if (this.remote?.claims(request.url ?? "") === true && !response.headersSent) {
      const arrival = ServedArrival.of(request, { context: inbound });
      return this.#show(inbound, this.remote.answer(arrival), {
        gone: () => response.closed,
        send: (page) => rejectRequest(response, page),
        open: (page) => openLive(response, page),
      });
    }
    this.#observe(inbound, request.method, request.url);
    if (!this.#limits.concern(inbound) || response.headersSent) return this.#hand(inbound, work);
    return this.#limits.pass(inbound, ServedHead.of(request), request.socket.remoteAddress, {
      isAnswered: () => response.headersSent,
      refuse: (rejection) => rejectRequest(response, rejection),
      add: (flat) => {
        for (let index = 0; index < flat.length; index += 2) response.setHeader(flat[index]!, flat[index + 1]!); // flat pairs
      },
      set: (flat) => setLines(request, flat),
      hand: () => this.#hand(inbound, work),
    });
  }

  #serveStream<Result>(
    inbound: InboundRequest,
    stream: ServerHttp2Stream,
    head: RequestHead,
    work: () => Result,
  ): Result | true {
    if (this.remote?.claims(`${head.headers[":path"]}`) === true && !stream.headersSent) {
      const arrival = ServedArrival.ofStream(head, stream.session?.socket, { context: inbound });
      return this.#show(inbound, this.remote.answer(arrival), {
        gone: () => stream.destroyed,
        send: (page) => rejectStream(stream, head, page),
        open: (page) => openLiveStream(stream, page),
      });
    }
    this.#observe(inbound, head.headers[":method"], head.headers[":path"]);
    if (!this.#limits.concern(inbound) || stream.headersSent) return this.#handStream(inbound, stream, head, work);
    return this.#limits.pass(inbound, ServedHead.ofStream(head), stream.session?.socket.remoteAddress, {
      isAnswered: () => stream.headersSent,
      refuse: (rejection) => rejectStream(stream, head, rejection),
      add: (flat) => addToStream(stream, flat),
      set: (flat) => setLines(head, flat),
      hand: () => this.#handStream(inbound, stream, head, work),
      stream,
    });
  }

  #handStream<Result>(
    inbound: InboundRequest,
    stream: ServerHttp2Stream,
    head: RequestHead,
    work: () => Result,
  ): Result {
    // Its library calls the handler out of an event of the stream, which Node emits in nobody's context.
    const path = head.headers[":path"];
    if (this.health !== undefined && asksGrpcHealth(path)) {
      answerGrpcHealth(stream, text(path), this.health, this.#engine.clock);
    }
    if (isGrpc(text(head.headers["content-type"]))) emitWithin(stream, (emit) => this.#hand(inbound, emit));
    return this.#hand(inbound, work);
  }

  /** @param rejection undefined: it passes. What is wrong with a token or a target says nothing of who may call what */
  #observe({ peer }: InboundRequest, method: unknown, target: unknown, rejection?: Rejection): void {
    if (rejection !== undefined && rejection.status !== FORBIDDEN) return;
    if (typeof method === "string" && typeof target === "string")
      this.observed.add(peer, method, target, rejection !== undefined);
  }

  #deny(inbound: InboundRequest, refusal: Refusal, answer: () => true): true {
    inbound.refuse(refusal);
    this.#counts.denied += 1;
    return answer();
  }

  #add(inbound: InboundRequest): void {
    this.#inFlight.add(inbound);
    this.#engine.serving = (this.#engine.serving ?? 0) + 1;
    this.#counts.begin();
  }

  #ended(inbound: InboundRequest, answer: Answer, status: number): void {
    this.#engine.serving = (this.#engine.serving ?? 0) - 1;
    const now = this.#engine.clock.now();
    inbound.admitted?.end(status, now);
    if (inbound.facts !== undefined) this.#tell(inbound, inbound.facts, answer, !answer.writableEnded, now);
    if (!inbound.refused) this.#counts.served(status, now - inbound.startedAt);
  }
}

function ignore(): void {}

function text(value: string | readonly string[] | undefined): string {
  return typeof value === "string" ? value : "";
}

export interface RemotePages {
  /** @param target with query */
  claims(target: string): boolean;
  /** Never rejects. Status 403: not for this caller. */
  answer(arrival: Arrival): Promise<LocalAnswer | LiveAnswer>;
}

/** Node sets it, and its types do not know it. */
interface Upgradable {
  readonly upgrade?: boolean | null;
}

/** The server whose connection a request of HTTP/1.1 came over. */
export function serverOf({ socket }: IncomingMessage): AnyServer | undefined {
  return (socket as { readonly server?: AnyServer } | null | undefined)?.server;
}
