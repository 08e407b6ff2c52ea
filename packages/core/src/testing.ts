export { type MemoryLimit, MemoryRateLimitService } from "./rate-limit/memory-rate-limit-service.js";
export { FakeClock, settle } from "./runtime/fake-clock.js";
export { seededRandom } from "./runtime/random.js";
export {
  type AnswerOptions,
  answers,
  type Behaviour,
  cuts,
  flaky,
  inTurn,
  queues,
  refuses,
  resets,
  type Script,
  silent,
  stale,
} from "./testing/behaviour.js";
export { FakeExchange, FakeNetwork } from "./testing/fake-network.js";
export { FakeResolver } from "./testing/fake-resolver.js";
export {
  type FakeCluster,
  type FakeRetry,
  type FakeRoute,
  type FakeSnapshotSpec,
  fakeEndpoint,
  fakeOutlier,
  fakeRetry,
  fakeRoute,
  fakeSnapshot,
} from "./testing/fake-snapshot.js";
export { keys, label, lease, namespace, type WatchedSource, watched } from "./testing/registry-cases.js";
export { registryContract } from "./testing/registry-contract.js";
export type { RegistryAbility, RegistryFixture, TestApi } from "./testing/registry-fixture.js";
export { ScriptedSource } from "./testing/scripted-source.js";
export { type TestCallOptions, type TestEngine, type TestEngineOptions, testEngine } from "./testing/test-engine.js";
