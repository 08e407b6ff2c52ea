import { GRPC_TIMEOUT_HEADER, grpcTimeoutMs } from "../server/grpc-timeout.js";

const CONNECT_TIMEOUT_HEADER = "connect-timeout-ms";

/**
 * As gRPC or Connect say how long their caller waits: the first of them that can be read.
 * @param headers flat, names in lower case @returns ms; undefined where they do not say
 */
export function callerTimeoutMs(headers: readonly string[]): number | undefined {
  for (let index = 0; index < headers.length; index += 2) {
    const [name, value] = [headers[index]!, headers[index + 1]!]; // flat pairs
    if (name === CONNECT_TIMEOUT_HEADER && /^\d{1,10}$/.test(value)) return Number(value);
    const ms = name === GRPC_TIMEOUT_HEADER ? grpcTimeoutMs(value) : Number.POSITIVE_INFINITY;
    if (ms < Number.POSITIVE_INFINITY) return ms;
  }
  return undefined;
}
