import { expect, it } from "vitest";
import { advertisedAddress } from "./advertised-address.js";

it.each([
  [[], undefined, "127.0.0.1"],
  [["::"], undefined, "127.0.0.1"],
  [["0.0.0.0"], undefined, "127.0.0.1"],
  [["::1"], undefined, "::1"],
  [["::ffff:10.0.0.3"], undefined, "10.0.0.3"],
  [["10.0.0.3", "::"], undefined, "10.0.0.3"],
  [["::"], "node-7.internal", "node-7.internal"],
])("a process bound to %j, told %s, is reached at %s", (addresses, given, expected) => {
  const listeners = addresses.map((address, index) => ({ address, port: 8000 + index, protocol: "http" as const }));
  expect(advertisedAddress(listeners, given)).toBe(expected);
});
