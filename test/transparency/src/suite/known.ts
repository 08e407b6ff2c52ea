/** Differences that have a reason. The guide tells each of them to users. */

import type { Difference } from "../run/compare.js";
import type { Way } from "../run/outcome.js";

interface Known {
  readonly suite: string;
  readonly way: Way;
  readonly file: string;
  /** All of the file's when absent. */
  readonly tests?: RegExp;
  readonly reason: string;
}

const TWICE =
  "NODE_DEBUG=fetch makes every loaded copy of undici print, and the mesh brings one: lines come twice from its first request on";

const STUB =
  "the test's stand-in for an HTTP/2 session has no ping, and undici pings it every millisecond: whatever lets the process live that much longer fails the test, bare too";

const FORCED_GC =
  "2,000 forced garbage collections, each of which takes longer with a mesh in memory: beyond the minute that a file has here when the machine is busy";

const ANSWERED =
  "the server closes the connection before it answers: inside the mesh the caller gets an answer 503, as through a sidecar, where the client would reject";

const SIDE_BY_SIDE =
  "requests that wait for each other on the connection of the test's own Client go side by side, on connections of the mesh";

const TRUNCATED =
  "a body that breaks off is the mesh's error RESPONSE_TRUNCATED, which names the endpoint, with undici's own as its cause";

const NO_AGENT =
  "the test counts what its agent is asked for: a call of the mesh goes over the mesh's own connections, and nobody asks the agent";

const WHOLE_BEFORE =
  "bytes that belong to no answer follow a whole one: inside the mesh the caller has that answer, and the connection is closed";

const NOT_REUSED =
  "reusedSocket is never true: a connection that its peer had closed is the mesh's to replace, and nobody else's to try again";

const TOO_SHORT =
  "a body shorter than its Content-Length is an error of the caller's inside the mesh: what its connection carries next would be read as the rest";

export const KNOWN: readonly Known[] = [
  { suite: "fastify", way: "inside", file: "test/close-pipelining.test.js", reason: SIDE_BY_SIDE },
  { suite: "fastify", way: "inside", file: "test/hooks.test.js", tests: /^onTimeout should be trig/, reason: ANSWERED },
  { suite: "fastify", way: "inside", file: "test/route-hooks.test.js", tests: /^onTimeout on route/, reason: ANSWERED },
  { suite: "fastify", way: "inside", file: "test/request-error.test.js", tests: /in-stream error/, reason: ANSWERED },
  { suite: "fastify", way: "inside", file: "test/url-rewriting.test.js", tests: /^Should throw an/, reason: ANSWERED },
  { suite: "got", way: "inside", file: "agent", tests: /^non-object agent option works with http$/, reason: NO_AGENT },
  { suite: "got", way: "inside", file: "agent", tests: /^redirects from .* with an agent object$/, reason: NO_AGENT },
  { suite: "got", way: "inside", file: "error", tests: /^no uncaught parse errors(?: #2)?$/, reason: WHOLE_BEFORE },
  {
    suite: "got",
    way: "inside",
    file: "hooks",
    tests: /^beforeRequest hook respect `agent` option$/,
    reason: NO_AGENT,
  },
  { suite: "got", way: "inside", file: "hooks", tests: /^can retry without an agent$/, reason: NO_AGENT },
  { suite: "got", way: "inside", file: "http", tests: /^socket destroyed by the server/, reason: ANSWERED },
  { suite: "got", way: "inside", file: "post", tests: /^`content-length` header is not over/, reason: TOO_SHORT },
  { suite: "got", way: "inside", file: "stream", tests: /^reusedSocket getter$/, reason: NOT_REUSED },
  { suite: "undici", way: "outside", file: "test/node-test/debug.js", tests: /^debug#fetch$/, reason: TWICE },
  { suite: "undici", way: "inside", file: "test/node-test/debug.js", tests: /^debug#fetch$/, reason: TWICE },
  { suite: "undici", way: "inside", file: "test/http2-window-size.js", tests: /^\(the file itself\)$/, reason: STUB },
  { suite: "undici", way: "inside", file: "test/parser-issues.js", tests: /^fetch rejects trunc/, reason: TRUNCATED },
  { suite: "undici", way: "outside", file: "test/fetch/long-lived-abort-controller.js", reason: FORCED_GC },
  { suite: "undici", way: "inside", file: "test/fetch/long-lived-abort-controller.js", reason: FORCED_GC },
];

/** @returns undefined when nobody has explained it */
export function reasonFor(suite: string, way: Way, { file, test }: Difference): string | undefined {
  return KNOWN.find(
    (each) => each.suite === suite && each.way === way && each.file === file && (each.tests?.test(test) ?? true),
  )?.reason;
}
