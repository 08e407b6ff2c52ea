/** A server that says what the test says, and keeps what it is asked; both forms, without a network. */

import { FakeClock, seededRandom } from "@inmesh/core/testing";
import { DISCOVERY } from "../generated/discovery.js";
import { decodeMessage, type Message } from "../proto/decode.js";
import { encodeMessage } from "../proto/encode.js";
import { Schema } from "../proto/schema.js";
import { WireWriter } from "../proto/wire-writer.js";
import type { AdsMode, AdsStreamListener, AdsTransport } from "./ads/transport.js";
import { AdsClient, type AdsClientOptions } from "./ads-client.js";
import { firstText } from "./first-text.js";
import type { ResourceChanges, ResourceType } from "./watch.js";

const schema = new Schema(DISCOVERY);
const NAMESPACE = "envoy.service.discovery.v3";
const PREFIX = "type.googleapis.com/";

/** A resource of the test: its name and a text, `name` in field 1 and `text` in field 2. */
export const thing = (name: string, text = ""): Uint8Array =>
  new WireWriter().tag(1, 2).string(name).tag(2, 2).string(text).finish();

/** `bad…` is refused; `{…}` has the same meaning in whatever order its letters come. */
export function things(wholeState: boolean, url = "test.Thing"): ResourceType<string> & { decoded: number } {
  return {
    decoded: 0,
    url,
    wholeState,
    nameOf: firstText,
    decode(bytes, name) {
      this.decoded += 1;
      const text = Buffer.from(bytes.subarray(bytes.indexOf(18) + 2)).toString();
      if (text.startsWith("bad")) throw new Error(`${name} is bad`);
      return text;
    },
    same: (one, other) => one.startsWith("{") && [...one].sort().join() === [...other].sort().join(),
  };
}

export interface SentThing {
  readonly name?: string;
  readonly version?: string;
  /** Undefined: a sign of life. */
  readonly bytes?: Uint8Array | undefined;
  readonly type?: string;
  readonly ttl?: string;
}

export class ScriptedServer implements AdsTransport {
  readonly server: string;
  /** Streams that were tried, and those of them that are open. */
  tried = 0;
  /** What the open stream was asked, and has not been taken yet. */
  readonly #asked: Message[] = [];
  #listener: AdsStreamListener | undefined;
  #mode: AdsMode = "sotw";
  #nonce = 0;
  paused = false;
  /** Refuses streams while it is so. */
  away = false;

  constructor(server = "test:1") {
    this.server = server;
  }

  open(mode: AdsMode, listener: AdsStreamListener) {
    this.#mode = mode;
    this.tried += 1;
    const mine = () => this.#listener === listener;
    queueMicrotask(() => {
      if (this.away) return listener.onEnd("away");
      this.#listener = listener;
      this.#asked.length = 0;
      this.#nonce = 0;
      listener.onOpen();
    });
    return {
      send: (bytes: Uint8Array) => {
        const name = mode === "sotw" ? "DiscoveryRequest" : "DeltaDiscoveryRequest";
        if (mine()) this.#asked.push(decodeMessage(schema, `${NAMESPACE}.${name}`, bytes));
      },
      pause: () => {
        this.paused = true;
      },
      resume: () => {
        this.paused = false;
      },
      cancel: () => {
        if (mine()) this.#listener = undefined;
      },
    };
  }

  get isOpen(): boolean {
    return this.#listener !== undefined;
  }

  /** What was asked since the last time, without what all requests have. */
  asked(): Message[] {
    return this.#asked.splice(0).map(({ node, type_url, ...rest }) => rest);
  }

  askedWhole(): Message[] {
    return this.#asked.splice(0);
  }

  /** @returns the nonce */
  answer(
    sent: readonly SentThing[],
    { version = "1", url = "test.Thing", removed = [], extra }: AnswerOptions = {},
  ): string {
    const nonce = `n${++this.#nonce}`;
    const typeUrl = url.includes("/") ? url : PREFIX + url;
    const resources = sent.map(({ name, bytes, type = url, version: own = version, ttl }) => {
      const resource = bytes === undefined ? undefined : { type, value: bytes };
      if (this.#mode === "sotw" && name === undefined) return resource;
      const wrapper = { name: name ?? "", version: own, resource, ttl };
      if (this.#mode === "delta") return wrapper;
      return { type: `${NAMESPACE}.Resource`, value: encodeMessage(schema, `${NAMESPACE}.Resource`, wrapper) };
    });
    const message =
      this.#mode === "sotw"
        ? encodeMessage(schema, `${NAMESPACE}.DiscoveryResponse`, {
            version_info: version,
            type_url: typeUrl,
            nonce,
            resources,
          })
        : encodeMessage(schema, `${NAMESPACE}.DeltaDiscoveryResponse`, {
            system_version_info: version,
            type_url: typeUrl,
            nonce,
            resources,
            removed_resources: removed,
          });
    this.raw(extra === undefined ? message : Buffer.concat([message, extra]));
    return nonce;
  }

  raw(bytes: Uint8Array): void {
    this.#listener?.onMessage(bytes);
  }

  cut(reason = "cut"): void {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.onEnd(reason);
  }
}

export interface AnswerOptions {
  readonly version?: string;
  readonly url?: string;
  readonly removed?: readonly string[];
  /** Bytes at the end: fields that the tables do not have. */
  readonly extra?: Uint8Array;
}

/** A resource error, in the field of the form. */
export function resourceError(mode: AdsMode, name: string, code: number, message: string): Uint8Array {
  const status = encodeMessage(schema, "google.rpc.Status", { code, message });
  const named = encodeMessage(schema, `${NAMESPACE}.ResourceName`, { name });
  const error = new WireWriter().tag(1, 2).part(named).tag(2, 2).part(status).finish();
  return new WireWriter()
    .tag(mode === "sotw" ? 7 : 9, 2)
    .part(error)
    .finish();
}

export function setUp(mode: AdsMode, options: Partial<AdsClientOptions> & { failOnDataErrors?: boolean } = {}) {
  const clock = new FakeClock();
  const server = new ScriptedServer();
  const warnings: string[] = [];
  const later: (() => void)[] = [];
  const { failOnDataErrors = false, ...rest } = options;
  const client = new AdsClient({
    servers: [{ transport: server, failOnDataErrors, slowIsNotAbsent: false }],
    mode,
    node: encodeMessage(schema, "envoy.config.core.v3.Node", { id: "test" }),
    clock,
    random: seededRandom(3),
    warn: (text) => warnings.push(text),
    laterTurn: (fn) => later.push(fn),
    ...rest,
  });
  return { clock, server, client, warnings, later };
}

/** What a watch was told, one line for each time. */
export class Told {
  readonly lines: string[] = [];

  readonly onChanges = ({ changed, removed }: ResourceChanges<string>): void => {
    const parts = [...[...changed].map(([name, text]) => `${name}=${text}`), ...[...removed].map((name) => `-${name}`)];
    this.lines.push(parts.join(" "));
  };

  /** What came since the last time. */
  take(): string[] {
    return this.lines.splice(0);
  }
}
