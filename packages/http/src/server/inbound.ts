/**
 * The inbound half of a mesh: enters the context once per request, counts requests, and knows which are in flight.
 *
 * More than 400 lines on purpose: each way for a request to come in must pass the same doors in the same order, and beside each other
 * it shows when one does not.
 */

import { IncomingMessage, type ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import {
  Admitted,
  type Arrival,
  DEADLINE_PASSED,
  InboundContext,
  isRejection,
  type Passage,
  type Rejection,
} from "@inmesh/core";
import type { InboundStats, ServedUnderWay } from "@inmesh/core/admin";
import { Histogram, ObservedCalls, withLimitItems } from "@inmesh/core/internal";
import { ArrivingBody } from "./arriving-body.js";
import { editRequest, editStream, setLines } from "./edit-head.js";
import { emitWithin } from "./emit-within.js";
import { bodyOf, bodyOfStream } from "./expected-body.js";
import { answerGrpcHealth, asksGrpcHealth, type GrpcHealth } from "./grpc-health.js";
import { tellGrpcDeadline } from "./grpc-timeout.js";
import { dropBaggage, identified, lineOf, REQUEST_ID_HEADER, takeHeaders } from "./inbound-headers.js";
import { type Answer, type InboundEngine, InboundRequest } from "./inbound-request.js";
import type { AnyServer } from "./patch-servers.js";
import { foldsPathCase } from "./path-case.js";
import { isGrpc } from "./record/grpc-facts.js";
import { watchHeads, watchStreamHeads } from "./record/head-watch.js";
import { InboundRecord } from "./record/inbound-record.js";
import { type EndedBy, type Leaving, type LeavingHooks, leavesBySocket, leavesByStream } from "./record/leaving.js";
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
import type { TurnedAway } from "./tls/turned-away.js";

const NONE: readonly string[] = [];
const FORBIDDEN = 403;
const SWITCHED = 101;

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
  readonly #latency = new Histogram();
  readonly #waiting = new Set<() => void>();
  readonly #pipelined = new WeakMap<Socket, Set<InboundRequest>>();
  /** Requests to leave HTTP that have been judged: a framework may bring them once more. */
  readonly #judgedLeaving = new WeakMap<object, InboundContext>();
  readonly #leavingHooks: LeavingHooks;
  /** Answers of the mesh's own that go on. */
  readonly #live = new Set<Writable>();
  #newest: InboundRequest | undefined;
  #inFlight = 0;
  #requests = 0;
  /** Of those before the last reset. */
  #before = 0;
  #failures = 0;
  #refused = 0;
  #denied = 0;
  #expired = 0;
  #malformedTraces = 0;
  #retiring = false;

  /** @param security who calls, and whether they may; undefined: nobody knows, and everybody may */
  constructor(engine: InboundEngine, security?: ServerSecurity) {
    this.#engine = engine;
    this.#security = security;
    this.observed = new ObservedCalls(engine.clock);
    if (!engine.onlyObserves) watchHeads();
    this.#leavingHooks = {
      now: () => engine.clock.now(),
      answered: (leaving) => this.#endSpan(leaving),
      ended: (leaving, by) => this.#tellLeft(leaving, by),
    };
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** The end has begun: see `retireConnections`. */
  get retiring(): boolean {
    return this.#retiring;
  }

  /** Requests begun so far. */
  get arrived(): number {
    return this.#before + this.#requests;
  }

  /** Requests whose `traceparent` nobody can read, so far. */
  get malformedTraces(): number {
    return this.#malformedTraces;
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
      return this.#leaves(request, request, request.socket, work, {
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
    const pipelined = response.socket === null ? this.#followSocket(request.socket, inbound) : undefined;
    response.on("close", () => {
      this.#close(inbound);
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
    return this.#admitted(
      verdict,
      (rejection) => {
        this.#observe(inbound, request.method, request.url, rejection);
        return this.#deny(inbound, rejection, () => rejectRequest(response, rejection));
      },
      (passage) => {
        if (passage !== undefined) editRequest(request, passage);
        const answer = passage?.answer ?? NONE;
        for (let index = 0; index < answer.length; index += 2)
          response.appendHeader(answer[index]!, answer[index + 1]!); // flat pairs
        return this.#serve(inbound, request, response, work);
      },
      () => inbound.over,
    );
  }

  /** The same for a request on an HTTP/2 stream, whichever of Node's two interfaces the application uses. */
  stream<Result>(stream: ServerHttp2Stream, head: RequestHead, work: () => Result): Result | true {
    if (this.serves(stream)) return work();
    if (stream.destroyed) return this.uncounted(head, work);
    const { guard } = this.#engine;
    const socket = stream.session?.socket;
    if (head.headers[":method"] === "CONNECT") {
      return this.#leaves(head, stream, socket, work, {
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
    stream.once("close", () => this.#close(inbound));
    const turnedAway = this.#security?.meet(socket, head, inbound);
    if (turnedAway !== undefined && !stream.headersSent) {
      return this.#deny(inbound, turnedAway, () => rejectStream(stream, head, turnedAway));
    }
    if (guard?.active !== true || stream.headersSent) return this.#serveStream(inbound, stream, head, work);
    const openBody = (): Readable => bodyOfStream(stream, head);
    const arrival = ServedArrival.ofStream(head, socket, { context: inbound, openBody });
    const verdict = guard.enter(arrival, inbound.startedAt);
    if (verdict === undefined) return this.#serveStream(inbound, stream, head, work);
    return this.#admitted(
      verdict,
      (rejection) => {
        const { headers } = head;
        this.#observe(inbound, headers[":method"], headers[":path"], rejection);
        return this.#deny(inbound, rejection, () => rejectStream(stream, head, rejection));
      },
      (passage) => {
        if (passage !== undefined) {
          editStream(head, passage);
          if (passage.answer.length > 0) addToStream(stream, passage.answer);
        }
        return this.#serveStream(inbound, stream, head, work);
      },
      () => inbound.over,
      stream,
    );
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
    return this.#leaves(request, request, socket, handOver, {
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
    for (let request = this.#newest; request !== undefined; request = request.next) request.retire();
  }

  /** Resolves once nothing is in flight, at once if so. @param signal stops the wait: the promise then resolves, too */
  idle(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (this.#inFlight === 0 || signal.aborted) return resolve();
      const done = (): void => {
        this.#waiting.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener("abort", done);
    });
  }

  /** Requests that are being served, the newest first; for who taps. */
  *underWay(): Iterable<ServedUnderWay> {
    for (let request = this.#newest; request !== undefined; request = request.next) {
      const { facts, untold, startedAt, requestId, peer, span } = request;
      if (facts === undefined || untold) continue;
      const { method, target } = facts;
      const authority = facts.header(":authority") ?? facts.header("host") ?? "";
      const traceId = span?.traceId ?? facts.traceparent.split("-")[1] ?? "";
      yield { request, startedAt, method, authority, target, requestId, traceId, peer: peer?.id ?? "" };
    }
  }

  /** Ends the count of requests whose end nobody told us of. */
  reap(): void {
    for (let request = this.#newest; request !== undefined; ) {
      const { next } = request;
      if (request.lost) this.#close(request);
      request = next;
    }
  }

  /** Counts from zero; `arrived`, by which the end is judged, goes on. */
  resetCounters(): void {
    this.#before += this.#requests;
    this.#requests = 0;
    this.#failures = 0;
    this.#refused = 0;
    this.#denied = 0;
    this.#expired = 0;
    this.#latency.reset();
  }

  read(): InboundStats {
    this.reap();
    return {
      requests: this.#requests,
      failures: this.#failures,
      refused: this.#refused,
      denied: this.#denied,
      expired: this.#expired,
      inFlight: this.#inFlight,
      p50Ms: this.#latency.quantile(0.5),
      p95Ms: this.#latency.quantile(0.95),
      p99Ms: this.#latency.quantile(0.99),
    };
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
    if (inbound.malformedTrace) this.#malformedTraces += 1;
    if (tracing === undefined && sinks?.any !== true) return;
    const facts = new RequestFacts(carrier, head, socket, inbound.startedAt, store?.current?.version ?? 0);
    facts.requestId = lineOf(inbound.forward, REQUEST_ID_HEADER);
    facts.traceparent = lineOf(inbound.forward, "traceparent");
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
    this.#requests -= 1;
    this.#before += 1; // it did arrive
  }

  /** Of work that no deadline ends. */
  #contextOf(head: RequestHead, socket: Socket | undefined): InboundContext {
    const { onlyObserves, forwardHeaders, trustsBaggage, inForce, sinks, tracing } = this.#engine;
    const { forward: given, malformed } = takeHeaders(head, onlyObserves, forwardHeaders);
    const peer = connectionOf(socket)?.peer;
    const dropped = inForce && trustsBaggage?.(peer) === false;
    const heard = inForce && (tracing !== undefined || sinks?.any === true);
    if (malformed && heard) this.#malformedTraces += 1;
    const forward = heard ? identified(given, malformed).forward : given;
    const context = new InboundContext(Number.POSITIVE_INFINITY, dropped ? dropBaggage(head, forward) : forward);
    context.peer = peer;
    return context;
  }

  /** A request to leave HTTP, judged once, whichever of the application's events bring it. */
  #leaves<Result>(
    head: RequestHead,
    carrier: IncomingMessage | ServerHttp2Stream,
    socket: Socket | undefined,
    work: () => Result,
    { received, answer, met, arrival, edit, limited, gone }: LeavingRequest,
  ): Result | true {
    const judged = this.#judgedLeaving.get(carrier);
    if (judged !== undefined) return this.#within(judged, work);
    const { guard, clock } = this.#engine;
    const turnedAway = this.#security?.meetLeaving(socket, head);
    const { context, leaving } = this.#leave(head, carrier, socket, received);
    const refuse = (refusal: Rejection | TurnedAway): true => {
      leaving?.refused(refusal);
      return answer(refusal);
    };
    if (turnedAway !== undefined) return this.#refuse(() => refuse(turnedAway));
    met?.();
    const handOver = (): Result => this.#handLeaving(context, leaving, work);
    return this.#admitted(
      guard?.active === true ? guard.enter(arrival(context), clock.now()) : undefined,
      (rejection) => this.#refuse(() => refuse(rejection)),
      (passage) => {
        if (passage !== undefined) edit(passage);
        if (limited === undefined) return handOver();
        return this.#letLeave(limited(), socket?.remoteAddress, refuse, handOver, gone);
      },
      gone,
    );
  }

  /** A request leaves HTTP. @returns what its calls are made for, and who tells of it; undefined: nobody listens */
  #leave(
    head: RequestHead,
    carrier: IncomingMessage | ServerHttp2Stream,
    socket: Socket | undefined,
    received = 0,
  ): { readonly context: InboundContext; readonly leaving: Leaving | undefined } {
    const { sinks, tracing, store, clock } = this.#engine;
    const context = this.#contextOf(head, socket);
    this.#judgedLeaving.set(carrier, context);
    if (tracing === undefined && sinks?.any !== true) return { context, leaving: undefined };
    const version = store?.current?.version ?? 0;
    let leaving: Leaving;
    if (carrier instanceof IncomingMessage) {
      leaving = leavesBySocket(context, carrier, version, received, this.#leavingHooks);
    } else {
      const facts = new RequestFacts(carrier, head, socket, clock.now(), version);
      leaving = leavesByStream(context, carrier, facts, new StreamAnswer(carrier), this.#leavingHooks);
    }
    const { facts } = leaving;
    facts.requestId = lineOf(context.forward, REQUEST_ID_HEADER);
    facts.traceparent = lineOf(context.forward, "traceparent");
    if (tracing !== undefined) context.span = tracing.startRequest(context, facts);
    return { context, leaving };
  }

  #handLeaving<Result>(context: InboundContext, leaving: Leaving | undefined, work: () => Result): Result {
    if (leaving !== undefined) leaving.facts.servedAt = this.#engine.clock.now();
    return this.#within(context, work);
  }

  #within<Result>(context: InboundContext, work: () => Result): Result {
    const { span } = context;
    const { contexts } = this.#engine;
    return span === undefined ? contexts.run(context, work) : contexts.run(context, () => span.run(work));
  }

  /** With the answer: the connection may live for days. */
  #endSpan({ context, facts, answer }: Leaving): void {
    if (context.span === undefined) return;
    const { clock } = this.#engine;
    context.span.end(this.#record.fill(context, facts, answer, false, clock.now(), clock));
  }

  #tellLeft(leaving: Leaving, by: EndedBy): void {
    const { clock, sinks } = this.#engine;
    const { context, facts, answer } = leaving;
    if (facts.headAt === 0) this.#endSpan(leaving);
    const { statusCode: status } = answer;
    // An answer that lets nobody leave is an answer like any other, and what comes after it is nobody's doing.
    const left = status === SWITCHED || status === 0 || (facts.method === "CONNECT" && status < 300);
    const tells = left && facts.refusal === undefined;
    const record = this.#record.fill(context, facts, answer, tells && by === "caller", clock.now(), clock);
    if (tells && by === "application") record.endedBelow();
    record.stallMs = 0; // of hours it would say nothing
    sinks?.ended(record);
  }

  /** To the application. */
  #hand<Result>(inbound: InboundRequest, work: () => Result): Result {
    const { facts, span } = inbound;
    const { contexts, clock } = this.#engine;
    if (facts !== undefined && facts.servedAt === 0) facts.servedAt = clock.now();
    return span === undefined ? contexts.run(inbound, work) : contexts.run(inbound, () => span.run(work));
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
    if (!this.#concerns(inbound) || response.headersSent) return this.#hand(inbound, work);
    return this.#throughLimits(inbound, ServedHead.of(request), request.socket.remoteAddress, {
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
    if (!this.#concerns(inbound) || stream.headersSent) return this.#handStream(inbound, stream, head, work);
    return this.#throughLimits(inbound, ServedHead.ofStream(head), stream.session?.socket.remoteAddress, {
      isAnswered: () => stream.headersSent,
      refuse: (rejection) => rejectStream(stream, head, rejection),
      add: (flat) => addToStream(stream, flat),
      set: (flat) => setLines(head, flat),
      hand: () => this.#handStream(inbound, stream, head, work),
      stream,
    });
  }

  /** To the application, unless limits say otherwise: those of this process, then those that are counted elsewhere. */
  #throughLimits<Result>(
    inbound: InboundRequest,
    head: ServedHead,
    source = "",
    { isAnswered, refuse, add, set, hand, stream }: LimitedRequest<Result>,
  ): Result | true {
    const rejection = this.#judge(inbound, head, source);
    if (rejection !== undefined) return refuse(rejection);
    const own = inbound.admitted?.answerHeaders();
    const { gate, clock } = this.#engine;
    const asked = gate?.askElsewhere?.(head, source);
    if (asked === undefined) {
      if (own !== undefined) add(own);
      return hand();
    }
    return this.#admitted(
      asked,
      (found) => (isAnswered() ? true : refuse(this.#turnedAway(inbound, found))),
      (pass) => {
        inbound.admitted?.waited(clock.now());
        if (!isAnswered()) {
          const lines = [...(withLimitItems(own, pass?.items ?? NO_ITEMS) ?? NONE), ...(pass?.answer ?? NONE)];
          if (lines.length > 0) add(lines);
        }
        if (pass !== undefined) set(pass.set);
        return hand();
      },
      () => inbound.over,
      stream,
    );
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

  /**
   * Goes on by what the guard says: at once, or when it has heard from somebody.
   * @param gone nobody waits for the answer any more, and what was asked is not to be done
   * @param stream whose end would come before the application, where its body is empty; absent: it waits for it
   * @returns true where it is dealt with, or will be
   */
  #admitted<Result, Pass extends object = Passage>(
    verdict: Verdict<Pass> | Promise<Verdict<Pass>>,
    refuse: (rejection: Rejection) => true,
    pass: (passage: Pass | undefined) => Result | true,
    gone: () => boolean,
    stream?: ServerHttp2Stream,
  ): Result | true {
    const go = (found: Verdict<Pass>): Result | true =>
      found !== undefined && isRejection(found) ? refuse(found) : pass(found);
    if (!(verdict instanceof Promise)) return go(verdict);
    const body = stream && ArrivingBody.of(stream);
    body?.hold();
    void verdict.then((found) => {
      // What the application throws is thrown as if nobody had been asked, and is no rejection of a promise.
      queueMicrotask(() => {
        try {
          if (!gone()) go(found);
        } finally {
          body?.release();
        }
      });
    });
    return true;
  }

  /** @param rejection undefined: it passes. What is wrong with a token or a target says nothing of who may call what */
  #observe({ peer }: InboundRequest, method: unknown, target: unknown, rejection?: Rejection): void {
    if (rejection !== undefined && rejection.status !== FORBIDDEN) return;
    if (typeof method === "string" && typeof target === "string")
      this.observed.add(peer, method, target, rejection !== undefined);
  }

  #deny(inbound: InboundRequest, refusal: Refusal, answer: () => true): true {
    note(inbound, refusal);
    return this.#refuse(answer);
  }

  #refuse(answer: () => true): true {
    this.#denied += 1;
    return answer();
  }

  #add(inbound: InboundRequest): void {
    const newest = this.#newest;
    inbound.next = newest;
    if (newest !== undefined) newest.previous = inbound;
    this.#newest = inbound;
    this.#inFlight += 1;
    this.#engine.serving = (this.#engine.serving ?? 0) + 1;
    this.#requests += 1;
  }

  #close(inbound: InboundRequest): void {
    const { answer } = inbound;
    const status = inbound.close();
    if (status === undefined || answer === undefined) return;
    const { previous, next } = inbound;
    if (previous === undefined) this.#newest = next;
    else previous.next = next;
    if (next !== undefined) next.previous = previous;
    inbound.previous = undefined; // a dead one must not hold living ones, nor the dead each other
    inbound.next = undefined;
    this.#inFlight -= 1;
    this.#engine.serving = (this.#engine.serving ?? 0) - 1;
    const now = this.#engine.clock.now();
    inbound.admitted?.end(status, now);
    if (inbound.facts !== undefined) this.#tell(inbound, inbound.facts, answer, !answer.writableEnded, now);
    if (!inbound.refused) {
      this.#latency.record(now - inbound.startedAt);
      if (status >= 500) this.#failures += 1;
    }
    if (this.#inFlight === 0 && this.#waiting.size > 0) for (const done of [...this.#waiting]) done();
  }

  /** Most requests concern nobody here, and finding that out must cost next to nothing. */
  #concerns({ deadlineAt, startedAt }: InboundRequest): boolean {
    return deadlineAt <= startedAt || this.#engine.gate?.active === true;
  }

  /** @returns why the application does not get it */
  #judge(inbound: InboundRequest, head: ServedHead, source = ""): Rejection | undefined {
    const rejection = this.#rejection(inbound, head, source);
    if (rejection === undefined) return undefined;
    note(inbound, rejection);
    if (rejection === DEADLINE_PASSED) this.#expired += 1;
    else this.#refused += 1;
    return rejection;
  }

  /** By somebody who counts for others, too, after it was let in here. */
  #turnedAway(inbound: InboundRequest, rejection: Rejection): Rejection {
    inbound.admitted?.giveBack();
    note(inbound, rejection);
    this.#refused += 1;
    return rejection;
  }

  /** Limits, before a connection leaves HTTP. */
  #letLeave<Result>(
    head: ServedHead,
    source: string | undefined,
    refuse: (rejection: Rejection) => true,
    pass: () => Result,
    gone: () => boolean,
  ): Result | true {
    const rejection = this.#judgeLeaving(head, source);
    if (rejection !== undefined) return refuse(rejection);
    const asked = this.#engine.gate?.askElsewhere?.(head, source ?? "");
    if (asked === undefined) return pass();
    const refused = (found: Rejection): true => {
      this.#refused += 1;
      return refuse(found);
    };
    return this.#admitted(asked, refused, pass, gone);
  }

  /** Of a request after which its connection leaves HTTP. */
  #judgeLeaving(head: ServedHead, source = ""): Rejection | undefined {
    const { gate, clock } = this.#engine;
    if (gate?.active !== true) return undefined;
    const now = clock.now();
    const entered = gate.enter(head, source, now);
    if (entered === undefined || entered instanceof Admitted) {
      entered?.end(0, now);
      return undefined;
    }
    this.#refused += 1;
    return entered;
  }

  #rejection(inbound: InboundRequest, head: ServedHead, source: string): Rejection | undefined {
    const { deadlineAt, startedAt } = inbound;
    if (deadlineAt <= startedAt) return DEADLINE_PASSED;
    const entered = this.#engine.gate?.enter(head, source, startedAt);
    if (entered === undefined || entered instanceof Admitted) {
      inbound.admitted = entered;
      if (entered !== undefined && entered.carried.length > 0) {
        inbound.forward = [...inbound.forward, ...entered.carried];
      }
      return undefined;
    }
    return entered;
  }

  /**
   * A pipelined request has no connection until its turn comes: when that is gone before, its answer never closes. One
   * listener for all of a connection's.
   */
  #followSocket(socket: Socket, inbound: InboundRequest): Set<InboundRequest> {
    const known = this.#pipelined.get(socket);
    const pipelined = known ?? new Set<InboundRequest>();
    pipelined.add(inbound);
    if (known !== undefined) return pipelined;
    this.#pipelined.set(socket, pipelined);
    socket.once("close", () => {
      for (const each of pipelined) this.#close(each);
    });
    return pipelined;
  }
}

const NO_ITEMS: readonly never[] = [];

/** Why a request does not pass, or what becomes of it where it does. */
type Verdict<Pass extends object> = Pass | Rejection | undefined;

function ignore(): void {}

function note(inbound: InboundRequest, refusal: Refusal): void {
  inbound.refused = true;
  if (inbound.facts !== undefined) inbound.facts.refusal = refusal;
}

function text(value: string | readonly string[] | undefined): string {
  return typeof value === "string" ? value : "";
}

/** A request of either version of HTTP, before the application has it. */
interface LimitedRequest<Result> {
  isAnswered(): boolean;
  refuse(rejection: Rejection): true;
  /** Flat lines for the application's answer. */
  add(headers: readonly string[]): void;
  /** Flat lines for the request, in lower case. */
  set(headers: readonly string[]): void;
  hand(): Result;
  /** See `#admitted`. */
  readonly stream?: ServerHttp2Stream;
}

/** A request to leave HTTP, in the terms of the event that brought it. */
interface LeavingRequest {
  /** Bytes that came behind its head. @default 0 */
  readonly received?: number;
  answer(refusal: Rejection | TurnedAway): true;
  /** Its connection is not turned away. */
  met?(): void;
  arrival(context: InboundContext): Arrival;
  edit(passage: Passage): void;
  /** What limits read of it. Absent: they held when it came. */
  limited?(): ServedHead;
  gone(): boolean;
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
