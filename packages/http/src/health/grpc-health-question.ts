/** One question of gRPC's health protocol, `grpc.health.v1.Health/Check`, over a connection that stands. */

import { connect } from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { messageOf } from "@inmesh/core";
import type { HealthFinding } from "@inmesh/core/internal";
import { GRPC_STATUS_NAMES } from "@inmesh/model";

/** Values of `HealthCheckResponse.ServingStatus`. */
const SERVING_STATUS = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const SERVING = 1;
const PREFIX_BYTES = 5;
/** An answer is a few bytes. */
const MOST_BYTES = 1_024;
/** Field 1 of the question, of type string, and of the answer, of type enum. */
const SERVICE_TAG = 0x0a;
const STATUS_TAG = 0x08;
const LONGEST_SERVICE = 127;

/** @param service empty: the server as a whole. @param done called once or more; the first time counts */
export function askGrpcHealth(
  socket: Socket,
  authority: string,
  service: string,
  done: (finding: HealthFinding) => void,
): void {
  const sick = (found: string): void => done({ well: false, found });
  const session = connect("http://inmesh", { createConnection: () => socket, settings: { enablePush: false } });
  session.on("error", (error) => sick(messageOf(error)));
  session.once("close", () => sick("closed without an answer"));
  const stream = session.request({
    ...{ ":method": "POST", ":path": "/grpc.health.v1.Health/Check", ":authority": authority },
    ":scheme": socket instanceof TLSSocket ? "https" : "http",
    ...{ "content-type": "application/grpc", te: "trailers", "user-agent": "inmesh-health-check" },
  });
  let said: string | undefined;
  let text = "";
  let body = Buffer.alloc(0);
  const note = (headers: Readonly<Record<string, unknown>>): void => {
    if (headers["grpc-status"] === undefined) return;
    said = String(headers["grpc-status"]);
    text = String(headers["grpc-message"] ?? "");
  };
  stream.once("response", (headers) => {
    if (headers[":status"] !== 200) sick(`HTTP status ${headers[":status"]}`);
    note(headers);
  });
  stream.once("trailers", note);
  stream.on("data", (chunk: Buffer) => {
    if (body.length < MOST_BYTES) body = Buffer.concat([body, chunk]);
  });
  stream.on("error", (error) => sick(messageOf(error)));
  stream.once("end", () => {
    if (said === undefined) return sick("an answer without a status of gRPC");
    if (said !== "0") return sick(`${GRPC_STATUS_NAMES[Number(said)] ?? said}${text === "" ? "" : `: ${text}`}`);
    const status = servingStatus(body.subarray(PREFIX_BYTES));
    done({ well: status === SERVING, found: SERVING_STATUS[status] ?? `status ${status}` });
  });
  stream.end(question(service));
}

function question(service: string): Buffer {
  const name = Buffer.from(service).subarray(0, LONGEST_SERVICE);
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([SERVICE_TAG, name.length]), name]);
  return Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
}

/** Absent: 0, as protobuf has it. */
function servingStatus(message: Buffer): number {
  return message[0] === STATUS_TAG ? (message[1] ?? 0) : 0;
}
