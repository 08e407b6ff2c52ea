/** `x-forwarded-for`: an address, or the socket's; and nothing that stands further left changes it. */

import { isIP } from "node:net";
import { clientAddress } from "@inmesh/core";
import { type InputTarget, seeds } from "./target.js";

const PEER = "192.0.2.1";

export const FORWARDED_FOR: InputTarget = {
  seeds: seeds("10.0.0.1", "10.0.0.1, 10.0.0.2", "2001:db8::1", "[2001:db8::1]:443, 10.0.0.9:80", "::ffff:10.1.2.3"),
  words: [
    ",",
    ", ",
    ":80",
    "[",
    "]",
    "::",
    "::ffff:",
    "10.0.0.1",
    "0x7f.1",
    "127.1",
    "1.2.3.4.5",
    "%eth0",
    "unknown",
    "\t",
  ],
  judge(input) {
    const text = Buffer.from(input).toString("latin1");
    const address = clientAddress(text, PEER, 1);
    const accepted = address !== PEER;
    const said = `${isIP(address)} ${text.split(",").length}`;
    if (isIP(address) === 0) return { accepted, said, fault: `${JSON.stringify(address)} is no address` };
    const spoofed = clientAddress(`203.0.113.7, ${text}`, PEER, 1);
    const inLines = clientAddress(["203.0.113.7", text], PEER, 1);
    if (spoofed !== address || inLines !== address) return { accepted, said, fault: `${spoofed} and ${inLines}` };
    if (clientAddress(text, PEER, 0) !== PEER) return { accepted, said, fault: "believed without a proxy in front" };
    return { accepted, said };
  },
};
