/** Goes on with a request by what was decided about it: at once, or when somebody elsewhere has been heard. */

import type { ServerHttp2Stream } from "node:http2";
import { isRejection, type Passage, type Rejection } from "@inmesh/core";
import { ArrivingBody } from "../arriving-body.js";

/** Why a request does not pass, or what becomes of it where it does. */
export type Verdict<Pass extends object = Passage> = Pass | Rejection | undefined;

export interface Ways<Result, Pass extends object = Passage> {
  refuse(rejection: Rejection): true;
  pass(passage: Pass | undefined): Result | true;
  /** Nobody waits for the answer any more, and what was asked is not to be done. */
  gone(): boolean;
  /** Whose end would come before the application, where its body is empty; absent: it waits for it. */
  readonly stream?: ServerHttp2Stream | undefined;
}

/** @returns true where it is dealt with, or will be */
export function onVerdict<Result, Pass extends object = Passage>(
  verdict: Verdict<Pass> | Promise<Verdict<Pass>>,
  ways: Ways<Result, Pass>,
): Result | true {
  if (!(verdict instanceof Promise)) return go(verdict, ways);
  const body = ways.stream && ArrivingBody.of(ways.stream);
  body?.hold();
  void verdict.then((found) => {
    // What the application throws is thrown as if nobody had been asked, and is no rejection of a promise.
    queueMicrotask(() => {
      try {
        if (!ways.gone()) go(found, ways);
      } finally {
        body?.release();
      }
    });
  });
  return true;
}

function go<Result, Pass extends object>(found: Verdict<Pass>, ways: Ways<Result, Pass>): Result | true {
  return found !== undefined && isRejection(found) ? ways.refuse(found) : ways.pass(found);
}
