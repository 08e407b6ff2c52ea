export { type GotOptions, gotOptions } from "./mesh-got.js";
