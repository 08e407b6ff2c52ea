/** What is put into a process before the application's first line. Loads next to nothing until a copy of grpc-js is. */

export { type GrpcHooks, patchGrpc } from "./client/patch-grpc.js";
