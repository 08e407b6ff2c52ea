/** A request that nobody sends, in the shape in which matchers and editors read the real ones. */

import { withoutBlanks } from "../call/blanks.js";
import type { EditableRequest } from "../call/request-edit.js";
import { MeshError } from "../errors.js";
import type { ExplainRequest } from "./explanation.js";

/** Scheme, authority and the rest; the fragment never leaves a client. */
const URL_PARTS = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)([^#]*)/i;
const PORT = /:(\d{0,5})$/;

export class AskedRequest implements EditableRequest {
  readonly method: string;
  /** As asked, until the mesh takes the request on and brings it into its own spelling. */
  path: string;
  readonly authority: string;
  readonly scheme: string;
  /** Without port. */
  readonly host: string;
  readonly port: number;
  readonly headers: readonly string[];

  /** @throws {MeshError} `CONFIG_INVALID` when it names no host, or no path that a request could have */
  constructor({ method = "GET", url, path, host, port, scheme, headers = {} }: ExplainRequest) {
    const parts = url === undefined ? undefined : URL_PARTS.exec(url);
    if (parts === null) throw invalid(`"${url}" is no URL. Write for instance http://reviews/api`);
    const [, urlScheme, urlHost, urlPath] = parts ?? [];
    this.method = method;
    this.scheme = (scheme ?? urlScheme ?? "http").toLowerCase();
    this.authority = host ?? urlHost ?? "";
    this.host = this.authority.replace(PORT, "");
    if (this.host === "") throw invalid("the request names no host. Give a url, or host and path");
    const written = PORT.exec(this.authority)?.[1] || undefined; // `cart:` names none
    this.port = port ?? (written === undefined ? (this.scheme === "https" ? 443 : 80) : Number(written));
    const asked = path ?? urlPath ?? "/";
    this.path = asked.startsWith("?") ? `/${asked}` : asked === "" ? "/" : asked;
    if (!this.path.startsWith("/")) throw invalid(`the path is "${this.path}", expected one that begins with "/"`);
    this.headers = Object.entries(headers).flatMap(([name, value]) =>
      (typeof value === "string" ? [value] : value).flatMap((line) => [name.toLowerCase(), withoutBlanks(line)]),
    );
  }

  header(name: string): string | readonly string[] | undefined {
    const values = this.headers.filter((_, index) => index % 2 === 1 && this.headers[index - 1] === name);
    return values.length > 1 ? values : values[0];
  }
}

function invalid(message: string): MeshError {
  return new MeshError("CONFIG_INVALID", message);
}
