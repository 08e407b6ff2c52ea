export { FakeClock, settle } from "./runtime/fake-clock.js";
export { seededRandom } from "./runtime/random.js";
