export type { ClientStatus } from "./client-status.js";
export { type ClientStatusPorts, clientStatusHandler } from "./client-status-handler.js";
