export { FakeClock, settle } from "./runtime/fake-clock.js";
export { seededRandom } from "./runtime/random.js";
export {
  lease,
  namespace,
  type RegistryFixture,
  registryContract,
  type TestApi,
  type WatchedSource,
  watched,
} from "./testing/registry-contract.js";
