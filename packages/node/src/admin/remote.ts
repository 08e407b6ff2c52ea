/**
 * The read-only views of the admin endpoint on the application's own port, under a path of their own: for operators on other
 * machines. Closed unless a rule of an AuthorizationPolicy names that path for the caller's identity, so plaintext never gets in.
 * The log says at level info who read what.
 */

import { type Arrival, MeshError, messageOf } from "@inmesh/core";
import type { LiveAnswer, LocalAnswer, RemotePages } from "@inmesh/http/server";
import type { DataPlane } from "../plane/data-plane.js";
import { failedPage, type Page } from "./page.js";
import { readPage } from "./pages.js";
import { TAP } from "./tap-page.js";

export const REMOTE_PATH = "/.inmesh/";

const NOT_FOR_YOU = failedPage(403, "RBAC: access denied");

/** How its caller wants to read a page. */
interface Reader {
  readonly asText: boolean;
  readonly accept: string;
  /** HEAD. */
  readonly headOnly: boolean;
}

export function remotePages(plane: DataPlane): RemotePages {
  const { engine } = plane;
  const log = plane.log.scope("admin");
  return {
    claims: (target) => target.startsWith(REMOTE_PATH),
    answer: async (arrival) => {
      const isPerson = text(arrival.header("user-agent")).startsWith("curl/");
      const plain = { asText: isPerson, accept: "", headOnly: arrival.method === "HEAD" };
      if (!engine.guard.names(arrival)) return answerOf(NOT_FOR_YOU, plain);
      if (arrival.method !== "GET" && arrival.method !== "HEAD")
        return answerOf(failedPage(405, "from another machine nothing is changed"), plain);
      const target = arrival.target.slice(REMOTE_PATH.length - 1);
      if (!URL.canParse(target, "http://admin")) return answerOf(failedPage(400, "the target is no path"), plain);
      const url = new URL(target, "http://admin");
      log.info(`${arrival.peer?.id ?? ""} reads ${url.pathname}`);
      const format = url.searchParams.get("format");
      const asText = format === null ? isPerson : format === "text";
      const reader = { ...plain, asText, accept: text(arrival.header("accept")) };
      return answerOf(await pageOf(plane, url, reader, arrival), reader);
    },
  };
}

async function pageOf(plane: DataPlane, url: URL, { asText, headOnly }: Reader, arrival: Arrival): Promise<Page> {
  try {
    if (url.pathname !== TAP) return await readPage(plane, url);
    if (headOnly) return { status: 200, body: {} };
    return plane.taps.open(plane, url.searchParams, asText, () => plane.engine.guard.names(arrival));
  } catch (error) {
    const status = error instanceof MeshError ? (error.code === "CONFIG_INVALID" ? 400 : error.status) : 500;
    return failedPage(status, messageOf(error));
  }
}

async function answerOf(page: Page, reader: Reader): Promise<LocalAnswer | LiveAnswer> {
  const { status, stream } = page;
  const headers = (type: string): readonly string[] => [
    ...["content-type", type, "cache-control", "no-store", "x-content-type-options", "nosniff"],
  ];
  if (stream !== undefined) return { status, headers: headers(stream.type), run: stream.run };
  const { type, content } = await contentOf(page, reader);
  const grpcStatus = status === 200 ? 0 : 7; // PERMISSION_DENIED
  return { status, grpcStatus, headers: headers(type), body: content };
}

async function contentOf(page: Page, { asText, accept }: Reader): Promise<NonNullable<Page["bytes"]>> {
  if (page.bytes !== undefined) return page.bytes;
  if (page.pieces !== undefined) {
    const { contentType, pieces } = await page.pieces(accept);
    return { type: contentType, content: [...pieces].join("") };
  }
  if (asText && page.text !== undefined) return { type: "text/plain; charset=utf-8", content: page.text() };
  return { type: "application/json; charset=utf-8", content: `${JSON.stringify(page.body)}\n` };
}

function text(value: string | readonly string[] | undefined): string {
  return typeof value === "string" ? value : (value?.[0] ?? "");
}
