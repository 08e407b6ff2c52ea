/** redirect and directResponse. policy-semantics §1.5. */

import type { HttpDirectResponseSpec, HttpRedirectSpec } from "../kind/virtual-service.js";
import type { DirectResponseAction, MatchRequest, RedirectAction } from "../snapshot/route.js";
import { type PathTest, pathEnd } from "./path-test.js";
import { prefixRewrite } from "./rewrite.js";

const DEFAULT_STATUS = 301;

/** @param port the port being addressed, for FROM_REQUEST_PORT */
export function compileRedirect(spec: HttpRedirectSpec, port: number, matched: PathTest): RedirectAction {
  const { scheme = "", authority = "" } = spec;
  const redirectPort = spec.derivePort === "FROM_REQUEST_PORT" ? port : (spec.port ?? 0);
  const pathOf = redirectPath(spec, matched);
  return {
    kind: "redirect",
    status: spec.redirectCode || DEFAULT_STATUS,
    location(request) {
      const target = scheme === "" ? request.scheme : scheme;
      const portText = writtenPort(target, redirectPort);
      const host = authority === "" ? requestHost(request, target, portText !== "") : authority;
      return `${target}://${host}${portText}${pathOf(request.path)}`;
    },
  };
}

/** Default ports are never written out. */
export function writtenPort(scheme: string, port: number): string {
  if (port === 0 || (scheme === "http" && port === 80) || (scheme === "https" && port === 443)) return "";
  return `:${port}`;
}

/** The caller's port goes when another is written, and an explicit :80 or :443 when the scheme changes. */
function requestHost({ authority, scheme }: MatchRequest, target: string, newPort: boolean): string {
  const bare = withoutPort(authority);
  const port = authority.slice(bare.length);
  const implied = target !== scheme && port === (scheme === "https" ? ":443" : ":80");
  return newPort || implied ? bare : authority;
}

export function withoutPort(authority: string): string {
  const start = authority.startsWith("[") ? authority.indexOf("]:") + 1 : authority.lastIndexOf(":");
  return start <= 0 ? authority : authority.slice(0, start);
}

/** The query stays, unless `uri` brings one of its own. */
export function redirectPath(
  { uri = "", prefixRewrite: prefix }: HttpRedirectSpec,
  matched: PathTest,
): (path: string) => string {
  if (prefix !== undefined && prefix !== "") {
    const rewrite = prefixRewrite(prefix, matched);
    return (path) => rewrite(path.slice(0, pathEnd(path))) + path.slice(pathEnd(path));
  }
  if (uri === "") return (path) => path;
  const absolute = uri.startsWith("/") ? uri : `/${uri}`;
  return absolute.includes("?") ? () => absolute : (path) => absolute + path.slice(pathEnd(path));
}

/** Differs: Envoy sends the body of a 204 or 304, which breaks HTTP/1.1 clients; we send none (policy-semantics §10.14). */
export function compileDirectResponse({ status = 200, body }: HttpDirectResponseSpec): DirectResponseAction {
  const bodiless = status === 204 || status === 304;
  const bytes = body?.bytes === undefined ? undefined : Buffer.from(body.bytes, "base64");
  return { kind: "directResponse", status, body: bodiless ? undefined : (body?.string ?? bytes) };
}
