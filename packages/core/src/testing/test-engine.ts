/** A whole engine on fakes: clock, chance, network and snapshots by hand. */

import { Call } from "../call/call.js";
import { FakeClock } from "../runtime/fake-clock.js";
import { seededRandom } from "../runtime/random.js";
import { SnapshotStore } from "../snapshot/store.js";
import { Engine } from "../stack/engine.js";
import type { EngineOptions } from "../stack/engine-options.js";
import { type FakeExchange, FakeNetwork } from "./fake-network.js";
import { FakeResolver } from "./fake-resolver.js";
import { type FakeSnapshotSpec, fakeSnapshot } from "./fake-snapshot.js";

export interface TestEngineOptions
  extends Pick<
    EngineOptions,
    | "onEndpointRemoved"
    | "onEndpointClosed"
    | "onUse"
    | "onHealth"
    | "onBreaker"
    | "healthProber"
    | "configWaitMs"
    | "onlyObserves"
    | "excludes"
    | "onNotice"
    | "address"
    | "instance"
  > {
  /** @default 1 */
  readonly seed?: number;
}

export interface TestCallOptions {
  /** @default "GET" */
  readonly method?: string;
  /** @default "/" */
  readonly path?: string;
  /** @default 80 */
  readonly port?: number;
  /** Flat `[name, value, …]`. @default none */
  readonly headers?: readonly string[];
  /** Whether the request body can be sent twice. @default true */
  readonly replayable?: boolean;
}

export interface TestEngine {
  readonly clock: FakeClock;
  readonly store: SnapshotStore;
  readonly network: FakeNetwork;
  readonly resolver: FakeResolver;
  readonly engine: Engine;
  /** Publishes the next snapshot. */
  publish(spec: FakeSnapshotSpec): void;
  /** A call that is not started yet. */
  prepare(host: string, options?: TestCallOptions): { call: Call; exchange: FakeExchange };
  /** Starts a call; advance the clock to see what becomes of it. */
  send(host: string, options?: TestCallOptions): { call: Call; exchange: FakeExchange };
}

/** @param spec first snapshot; none when undefined */
export function testEngine(spec?: FakeSnapshotSpec, { seed = 1, ...options }: TestEngineOptions = {}): TestEngine {
  const clock = new FakeClock();
  const random = seededRandom(seed);
  const store = new SnapshotStore({ clock });
  const network = new FakeNetwork({ clock, random });
  const resolver = new FakeResolver(clock);
  const engine = new Engine({ store, clock, random, resolver, instance: "test", ...options });
  const publish: TestEngine["publish"] = (next) => store.publish(fakeSnapshot({ ...next, version: store.nextVersion }));
  const prepare: TestEngine["prepare"] = (
    host,
    { method = "GET", path = "/", port = 80, headers = [], replayable = true } = {},
  ) => {
    const exchange = network.exchange({ replayable });
    return { exchange, call: new Call(exchange, method, "http", host, port, host, path, headers) };
  };
  const send: TestEngine["send"] = (host, call) => {
    const prepared = prepare(host, call);
    engine.start(prepared.call);
    return prepared;
  };
  if (spec !== undefined) publish(spec);
  return { clock, store, network, resolver, engine, publish, prepare, send };
}
