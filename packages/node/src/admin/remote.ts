/**
 * The read-only views of the admin endpoint on the application's own port, under a path of their own: for operators on other
 * machines. Closed unless a rule of an AuthorizationPolicy names that path for the caller's identity, so plaintext never gets in.
 */

import { MeshError, messageOf } from "@inmesh/core";
import type { LocalAnswer, RemotePages } from "@inmesh/http/server";
import type { DataPlane } from "../plane/data-plane.js";
import { failedPage, type Page } from "./page.js";
import { readPage } from "./pages.js";

export const REMOTE_PATH = "/.inmesh/";

const NOT_FOR_YOU = failedPage(403, "RBAC: access denied");

export function remotePages(plane: DataPlane): RemotePages {
  return {
    claims: (target) => target.startsWith(REMOTE_PATH),
    answer: async (arrival) => {
      const isPerson = String(arrival.header("user-agent") ?? "").startsWith("curl/");
      if (!plane.engine.guard.names(arrival)) return answerOf(NOT_FOR_YOU, isPerson);
      if (arrival.method !== "GET" && arrival.method !== "HEAD")
        return answerOf(failedPage(405, "from another machine nothing is changed"), isPerson);
      const target = arrival.target.slice(REMOTE_PATH.length - 1);
      if (!URL.canParse(target, "http://admin")) return answerOf(failedPage(400, "the target is no path"), isPerson);
      const url = new URL(target, "http://admin");
      const format = url.searchParams.get("format");
      return answerOf(
        await pageOf(plane, url),
        format === null ? isPerson : format === "text",
        String(arrival.header("accept") ?? ""),
      );
    },
  };
}

async function pageOf(plane: DataPlane, url: URL): Promise<Page> {
  try {
    return await readPage(plane, url);
  } catch (error) {
    const status = error instanceof MeshError ? (error.code === "CONFIG_INVALID" ? 400 : error.status) : 500;
    return failedPage(status, messageOf(error));
  }
}

async function answerOf(page: Page, asText: boolean, accept = ""): Promise<LocalAnswer> {
  const { type, content } = await contentOf(page, asText, accept);
  return {
    status: page.status,
    grpcStatus: page.status === 200 ? 0 : 7, // PERMISSION_DENIED
    headers: ["content-type", type, "cache-control", "no-store", "x-content-type-options", "nosniff"],
    body: content,
  };
}

async function contentOf(page: Page, asText: boolean, accept: string): Promise<NonNullable<Page["bytes"]>> {
  if (page.bytes !== undefined) return page.bytes;
  if (page.pieces !== undefined) {
    const { contentType, pieces } = await page.pieces(accept);
    return { type: contentType, content: [...pieces].join("") };
  }
  if (asText && page.text !== undefined) return { type: "text/plain; charset=utf-8", content: page.text() };
  return { type: "application/json; charset=utf-8", content: `${JSON.stringify(page.body)}\n` };
}
