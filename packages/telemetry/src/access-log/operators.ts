/** What stands in the place of each operator of a format. Undefined: `-` in text, left out of JSON. */

import type { OutcomeRecord } from "@inmesh/core";
import type { LogOperator, LogOperatorName } from "@inmesh/model";
import {
  capped,
  durationMs,
  filled,
  flagsOf,
  hostOf,
  pathOf,
  requestHeader,
  responseHeader,
  routeName,
  serverName,
  transportFailure,
  upstreamCluster,
  upstreamHost,
} from "./fields.js";
import { isoTime } from "./iso-time.js";
import { compileTime } from "./time-pattern.js";

export type Reads = (record: OutcomeRecord) => string | number | undefined;

const PLAIN: Readonly<Partial<Record<LogOperatorName, Reads>>> = {
  PROTOCOL: ({ protocol }) => filled(protocol),
  RESPONSE_CODE: ({ status }) => status,
  RESPONSE_CODE_DETAILS: ({ details }) => filled(details),
  RESPONSE_FLAGS: (record) => (record.flags === 0 ? undefined : flagsOf(record)),
  BYTES_RECEIVED: ({ requestBytes }) => requestBytes,
  BYTES_SENT: ({ responseBytes }) => responseBytes,
  DURATION: (record) => Math.floor(durationMs(record)),
  UPSTREAM_HOST: upstreamHost,
  UPSTREAM_CLUSTER: upstreamCluster,
  UPSTREAM_CLUSTER_RAW: upstreamCluster, // Envoy's other one has a name for statistics where a cluster has two: ours have one
  UPSTREAM_LOCAL_ADDRESS: ({ direction, localAddress }) =>
    direction === "outbound" ? filled(localAddress) : undefined,
  UPSTREAM_TRANSPORT_FAILURE_REASON: transportFailure,
  UPSTREAM_REQUEST_ATTEMPT_COUNT: ({ attemptCount }) => attemptCount,
  CONNECTION_TERMINATION_DETAILS: () => undefined,
  DOWNSTREAM_REMOTE_ADDRESS: ({ direction, remoteAddress }) =>
    direction === "inbound" ? filled(remoteAddress) : undefined,
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: ({ direction, remoteAddress }) =>
    direction === "inbound" ? filled(hostOf(remoteAddress)) : undefined,
  DOWNSTREAM_LOCAL_ADDRESS: ({ direction, localAddress }) =>
    direction === "inbound" ? filled(localAddress) : undefined,
  DOWNSTREAM_PEER_URI_SAN: ({ direction, peer }) =>
    direction === "inbound" ? (peer?.presented ?? peer?.id) : undefined,
  UPSTREAM_PEER_URI_SAN: ({ direction, peer }) =>
    direction === "outbound" ? (peer?.presented ?? peer?.id) : undefined,
  REQUESTED_SERVER_NAME: serverName,
  ROUTE_NAME: routeName,
  TRACE_ID: ({ traceId }) => filled(traceId),
  TRAILER: () => undefined, // nobody keeps them
};

/** @param query whether `%REQ(:PATH)%` has it */
export function compileOperator(operator: LogOperator, query: boolean): Reads {
  const read = readerOf(operator, query);
  const { maxLength } = operator;
  if (maxLength === 0) return read;
  return (record) => {
    const value = read(record);
    return value === undefined ? undefined : String(value).slice(0, maxLength);
  };
}

function readerOf({ name, argument, alternative }: LogOperator, query: boolean): Reads {
  switch (name) {
    case "START_TIME":
      return argument === "" ? ({ wallMs }) => isoTime(wallMs) : compileTime(argument);
    case "REQ":
      return either(requestReader(argument, query), alternative, (header) => requestReader(header, query));
    case "REQ_WITHOUT_QUERY":
      return either(withoutQuery(argument), alternative, withoutQuery);
    case "RESP":
      return either(responseReader(argument), alternative, responseReader);
    case "GRPC_STATUS":
      return grpcReader(argument);
    default:
      return PLAIN[name] ?? (() => undefined);
  }
}

function either(first: Reads, alternative: string, make: (header: string) => Reads): Reads {
  if (alternative === "") return first;
  const second = make(alternative);
  return (record) => first(record) ?? second(record);
}

function requestReader(header: string, query: boolean): Reads {
  switch (header) {
    case ":method":
      return ({ method }) => capped(method);
    case ":path":
      return (record) => pathOf(record, query);
    case "x-envoy-original-path": // what the caller wrote is what `path` is
      return () => undefined;
    case ":authority":
    case "host":
      return ({ authority }) => filled(capped(authority));
    case ":scheme":
    case "x-forwarded-proto":
      return (record) => (header === ":scheme" ? undefined : requestHeader(record, header)) ?? filled(record.scheme);
    case "x-request-id":
      return ({ requestId }) => filled(capped(requestId));
    default:
      return (record) => requestHeader(record, header);
  }
}

function withoutQuery(header: string): Reads {
  const read = requestReader(header, false);
  return (record) => {
    const value = read(record);
    return typeof value === "string" ? value.split("?", 1)[0] : value;
  };
}

function responseReader(header: string): Reads {
  if (header === ":status") return ({ status }) => status;
  if (header === "x-envoy-upstream-service-time")
    return (record) => {
      const wait = (record.attempts.at(-1)?.ledger ?? record.ledger).waitMs;
      return record.status === 0 ? undefined : Math.floor(wait);
    };
  return (record) => responseHeader(record, header);
}

/** https://grpc.github.io/grpc/core/md_doc_statuscodes.html, by number. */
const GRPC_NAMES = [
  ...["OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists"],
  ...["PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented"],
  ...["Internal", "Unavailable", "DataLoss", "Unauthenticated"],
];

function grpcReader(form: string): Reads {
  return ({ grpcStatus }) => {
    if (grpcStatus < 0) return undefined;
    const name = GRPC_NAMES[grpcStatus];
    if (form === "NUMBER" || name === undefined) return grpcStatus;
    return form === "SNAKE_STRING" ? name.replaceAll(/(?<=[a-z])[A-Z]/g, "_$&").toUpperCase() : name;
  };
}
