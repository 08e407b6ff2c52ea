/**
 * Values of `includeAdditionalHeadersInCheck`, whose commands Envoy fills in by the request that is judged (seen with Envoy 1.40): what is
 * not there is empty, and a header that is empty is left out.
 */

import type { MatchRequest } from "@inmesh/model";
import { firstValue } from "../call/request-edit.js";
import { plainAddress } from "./client-address.js";
import type { CheckedRequest } from "./external-check.js";

const COMMAND = /%(?:%|([A-Z_]+)(?:\(([^)]*)\))?(?::(\d+))?%)/g;

/** Commands that are not known here stay as they are written; `analyze` names them (IM0301). */
export function checkHeaderValue(value: string, checked: CheckedRequest): string {
  if (!value.includes("%")) return value;
  return value.replace(COMMAND, (whole, command?: string, argument = "", length?: string) => {
    if (command === undefined) return "%";
    const found = valueOfCommand(command, argument, checked);
    if (found === undefined) return whole;
    return length === undefined ? found : found.slice(0, Number(length));
  });
}

function valueOfCommand(command: string, argument: string, checked: CheckedRequest): string | undefined {
  const { arrival } = checked;
  switch (command) {
    case "REQ":
      return firstValue(asMatched(checked), argument);
    case "PROTOCOL":
      return arrival.header(":method") === undefined ? "HTTP/1.1" : "HTTP/2";
    case "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT":
    case "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT":
      return plainAddress(arrival.remoteAddress);
    case "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT":
      return plainAddress(arrival.localAddress);
    case "DOWNSTREAM_LOCAL_PORT":
      return String(arrival.localPort ?? "");
    case "DOWNSTREAM_PEER_URI_SAN":
      return arrival.peer?.id ?? "";
    case "REQUESTED_SERVER_NAME":
      return arrival.sni;
    default:
      return undefined;
  }
}

function asMatched({ arrival, target, authority }: CheckedRequest): MatchRequest {
  const scheme = arrival.peer === undefined ? "http" : "https";
  return { method: arrival.method, path: target, authority, scheme, header: (name) => arrival.header(name) };
}
