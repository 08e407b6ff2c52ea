/**
 * gRPC's health service (grpc.health.v1) for applications that have none: what they answer with UNIMPLEMENTED is answered
 * here, by the readiness of the mesh. An application that has one is heard, and nobody else. A call of it is judged and counted
 * as any other.
 */

import type { ServerHttp2Stream } from "node:http2";
import type { Clock, Timer } from "@inmesh/core";
import { override } from "./override.js";

export interface GrpcHealth {
  /** Calls may be sent here. */
  readonly serving: boolean;
  /** It ends: nobody is told anything any more. */
  readonly ending: boolean;
}

/** On a server of node:http2 that belongs to grpc-js: paths of its methods. Holds for every copy of these packages. */
const METHODS: unique symbol = Symbol.for("@inmesh/grpc-methods@1");

const CHECK = "/grpc.health.v1.Health/Check";
const WATCH = "/grpc.health.v1.Health/Watch";
const STATUS = { SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const;
const CODE = { OK: 0, NOT_FOUND: 5, RESOURCE_EXHAUSTED: 8, UNIMPLEMENTED: 12, INTERNAL: 13, UNAVAILABLE: 14 } as const;
/** Between two looks for those who watch, in ms. */
const LOOK_MS = 250;
/** The name of a service is shorter. In bytes. */
const LONGEST_MESSAGE = 1_024;
const PREFIX_BYTES = 5;

interface SocketOfServer {
  readonly server?: { readonly [METHODS]?: () => Iterable<string> };
}

export function asksGrpcHealth(path: unknown): boolean {
  return path === CHECK || path === WATCH;
}

/** Waits for what the application answers. @param path one that asks for health */
export function answerGrpcHealth(stream: ServerHttp2Stream, path: string, health: GrpcHealth, clock: Clock): void {
  const { respond } = stream;
  const restore = override(stream, "respond", function (this: ServerHttp2Stream, headers, options) {
    restore();
    const code = Number((headers as Readonly<Record<string, unknown>> | undefined)?.["grpc-status"]);
    if (code !== CODE.UNIMPLEMENTED || options?.endStream !== true) return respond.call(this, headers, options);
    new HealthAnswer(this, path === WATCH, health, clock).start();
  } as ServerHttp2Stream["respond"]);
}

class HealthAnswer {
  readonly #stream: ServerHttp2Stream;
  readonly #watches: boolean;
  readonly #health: GrpcHealth;
  readonly #clock: Clock;
  #message: Buffer = Buffer.alloc(0);
  #asked = false;
  #code: number = CODE.OK;
  #timer: Timer | undefined;

  constructor(stream: ServerHttp2Stream, watches: boolean, health: GrpcHealth, clock: Clock) {
    this.#stream = stream;
    this.#watches = watches;
    this.#health = health;
    this.#clock = clock;
  }

  start(): void {
    const stream = this.#stream;
    stream.on("error", () => {}); // the caller may be gone
    stream.on("data", (chunk: Buffer) => this.#take(chunk));
    stream.on("end", () => {
      if (!this.#asked) this.#refuse(CODE.INTERNAL, "no message");
    });
    stream.once("close", () => this.#timer?.cancel());
    stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": String(this.#code) }));
  }

  #take(chunk: Buffer): void {
    if (this.#asked) return;
    this.#message = Buffer.concat([this.#message, chunk]);
    if (this.#message.length < PREFIX_BYTES) return;
    const length = this.#message.readUInt32BE(1);
    if (length > LONGEST_MESSAGE) return this.#refuse(CODE.RESOURCE_EXHAUSTED, "the name of a service is not so long");
    if (this.#message[0] !== 0) return this.#refuse(CODE.UNIMPLEMENTED, "compressed questions are not read");
    if (this.#message.length < PREFIX_BYTES + length) return;
    this.#answer(serviceIn(this.#message.subarray(PREFIX_BYTES, PREFIX_BYTES + length)));
  }

  #answer(service: string): void {
    const known = service === "" || this.#serves(service);
    if (!this.#watches && !known) return this.#refuse(CODE.NOT_FOUND, "unknown service");
    this.#asked = true;
    this.#stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    let told = this.#tell(known);
    if (!this.#watches) return void this.#stream.end();
    this.#timer = this.#clock.every(LOOK_MS, () => {
      if (this.#stream.destroyed) return this.#timer?.cancel();
      if (told !== this.#status(known)) told = this.#tell(known);
      if (!this.#health.ending) return;
      // Whoever watches would hold up the end.
      this.#timer?.cancel();
      this.#code = CODE.UNAVAILABLE;
      this.#stream.end();
    });
  }

  #status(known: boolean): number {
    if (!known) return STATUS.SERVICE_UNKNOWN;
    return this.#health.serving ? STATUS.SERVING : STATUS.NOT_SERVING;
  }

  #tell(known: boolean): number {
    const status = this.#status(known);
    this.#stream.write(Buffer.of(0, 0, 0, 0, 2, 8, status)); // two bytes: field 1, a number
    return status;
  }

  #refuse(code: number, message: string): void {
    this.#asked = true;
    const head = {
      ":status": 200,
      "content-type": "application/grpc",
      "grpc-status": String(code),
      "grpc-message": message,
    };
    this.#stream.respond(head, { endStream: true });
    this.#stream.resume();
  }

  /** One whose methods nobody knows is believed to have every service. */
  #serves(service: string): boolean {
    const socket = this.#stream.session?.socket as unknown as SocketOfServer | undefined;
    const paths = socket?.server?.[METHODS]?.();
    return paths === undefined || [...paths].some((path) => path.startsWith(`/${service}/`));
  }
}

/** HealthCheckRequest: field 1, a text. Others of later versions are passed over with it. */
function serviceIn(message: Buffer): string {
  if (message[0] !== 0x0a || message.length < 2) return "";
  let length = message[1]! & 0x7f; // two bytes at least
  let at = 2;
  if (message[1]! > 0x7f) length += (message[at++] ?? 0) << 7;
  return message.toString("utf8", at, at + length);
}
