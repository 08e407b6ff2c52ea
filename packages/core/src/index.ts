export { type Clock, sleep, systemClock, type Timer } from "./runtime/clock.js";
export { type Random, seededRandom, systemRandom } from "./runtime/random.js";
export type {
  ApplyResult,
  Lease,
  LeaseHandle,
  LeaseSpec,
  Registrar,
  RegistryView,
  Source,
  SourceStatus,
  Store,
} from "./snapshot/source.js";
