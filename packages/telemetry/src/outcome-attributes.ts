/** Envoy's attributes of an outcome record, for expressions of Telemetry resources (policy-semantics §3.7). */

import type { OutcomeRecord } from "@inmesh/core";
import type { CelAttributes, CelValue } from "@inmesh/model";

export class OutcomeAttributes implements CelAttributes {
  record: OutcomeRecord | undefined = undefined;

  attribute(path: string): CelValue {
    return this.record && ATTRIBUTES[path]?.(this.record);
  }

  entry(path: string, key: string): CelValue {
    const { record } = this;
    if (path === "request.headers") return record?.requestHeader(key);
    return path === "response.headers" ? record?.responseHeader(key) : undefined;
  }
}

type Read = (record: OutcomeRecord) => CelValue;

const split = (address: string): [address: string, port: number] => {
  const at = address.lastIndexOf(":");
  return [address.slice(0, at), Number(address.slice(at + 1))];
};
const addressIn = (address: string): CelValue => (address === "" ? undefined : address);
const portIn = (address: string): CelValue => (address === "" ? undefined : split(address)[1]);
const some = (value: string): CelValue => (value === "" ? undefined : value);

const ATTRIBUTES: Readonly<Record<string, Read>> = Object.assign(Object.create(null), {
  "request.path": ({ path, query }) => (query === "" ? path : `${path}?${query}`),
  "request.url_path": ({ path }) => path,
  "request.query": ({ query }) => query,
  "request.host": ({ authority }) => authority,
  "request.scheme": ({ scheme }) => some(scheme),
  "request.method": ({ method }) => method,
  "request.protocol": ({ protocol }) => some(protocol),
  "request.id": ({ requestId }) => some(requestId),
  "request.referer": (record) => record.requestHeader("referer"),
  "request.useragent": (record) => record.requestHeader("user-agent"),
  "request.size": ({ requestBytes }) => requestBytes,
  "request.duration": ({ startedAt, endedAt }) => endedAt - startedAt,
  "response.code": ({ status }) => (status === 0 ? undefined : status),
  "response.code_details": ({ details }) => some(details),
  "response.flags": ({ flags }) => flags,
  "response.grpc_status": ({ grpcStatus }) => (grpcStatus < 0 ? undefined : grpcStatus),
  "response.size": ({ responseBytes }) => responseBytes,
  "connection.mtls": ({ mtls }) => mtls,
  "connection.uri_san_peer_certificate": ({ peer, direction }) => (direction === "inbound" ? peer?.id : undefined),
  "upstream.uri_san_peer_certificate": ({ peer, direction }) => (direction === "outbound" ? peer?.id : undefined),
  "source.address": ({ direction, remoteAddress, localAddress }) =>
    addressIn(direction === "inbound" ? remoteAddress : localAddress),
  "source.port": ({ direction, remoteAddress, localAddress }) =>
    portIn(direction === "inbound" ? remoteAddress : localAddress),
  "destination.address": ({ direction, remoteAddress, localAddress }) =>
    addressIn(direction === "inbound" ? localAddress : remoteAddress),
  "destination.port": ({ direction, remoteAddress, localAddress }) =>
    portIn(direction === "inbound" ? localAddress : remoteAddress),
  "upstream.address": ({ direction, remoteAddress }) =>
    direction === "outbound" ? addressIn(remoteAddress) : undefined,
  "upstream.port": ({ direction, remoteAddress }) => (direction === "outbound" ? portIn(remoteAddress) : undefined),
  "xds.cluster_name": ({ cluster }) => cluster?.config.name,
  "xds.route_name": ({ route }) => route?.name,
} satisfies Record<string, Read>);
