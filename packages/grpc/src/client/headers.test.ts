import * as grpc from "@grpc/grpc-js";
import { TIMEOUT_HEADER } from "@inmesh/core/internal";
import { expect, it } from "vitest";
import { isGrpcHead, readerOf, toHeaders, toMetadata } from "./headers.js";

function metadata(...pairs: readonly (readonly [string, string | Buffer])[]): grpc.Metadata {
  const made = new grpc.Metadata();
  for (const [name, value] of pairs) made.add(name, value);
  return made;
}

it("keeps every value, in order, and bytes as they are", () => {
  const bytes = Buffer.from([0, 255, 10, 13]);
  const headers = toHeaders(metadata(["x-user", "ann"], ["x-user", "bob"], ["trace-bin", bytes]));
  expect(headers.slice(0, 2)).toEqual(["content-type", "application/grpc"]);
  const back = toMetadata(grpc, headers, {}, 1);
  expect(back.get("x-user")).toEqual(["ann", "bob"]);
  expect(back.get("trace-bin")).toEqual([bytes]);
  expect(back.get("content-type")).toEqual([]);
  expect(back.get("grpc-previous-rpc-attempts")).toEqual([]);
});

it("tells the server of attempts before this one, and of the time that is left", () => {
  const told = toMetadata(grpc, [TIMEOUT_HEADER, "1500"], {}, 3);
  expect(told.get("grpc-previous-rpc-attempts")).toEqual(["2"]);
  expect(told.get("grpc-timeout")).toEqual(["1500m"]);
  // The protocol has no more than eight digits.
  expect(toMetadata(grpc, [TIMEOUT_HEADER, "100000000"], {}, 1).get("grpc-timeout")).toEqual(["100000S"]);
});

it("reads a status from where grpc-js has put it", () => {
  const read = readerOf(metadata(["x-bin", Buffer.from("ab")], ["x", "1"]), { code: 14, details: "away" });
  expect([read("grpc-status"), read("grpc-message"), read("x"), read("x-bin"), read("y")]).toEqual([
    ...["14", "away", "1", "YWI="],
    undefined,
  ]);
  expect(readerOf(metadata())("grpc-status")).toBeUndefined();
});

it("knows an answer of gRPC's by its content type", () => {
  expect(isGrpcHead(metadata(["content-type", "application/grpc+proto"]))).toBe(true);
  expect(isGrpcHead(metadata(["content-type", "text/html"]))).toBe(false);
  expect(isGrpcHead(metadata())).toBe(false);
});
