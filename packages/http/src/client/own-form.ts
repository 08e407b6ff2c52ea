/** Forms made by another copy of undici, which ours would not know for forms: it could not send them. */

import type { FormData } from "undici";
import type { Undici } from "./undici-module.js";

/** @returns `body` itself unless it is such a form */
export function ownForm(body: unknown, undici: () => Undici): unknown {
  if (!isForm(body)) return body;
  const Own = undici().FormData;
  if (body instanceof Own) return body;
  const form = new Own();
  for (const [name, value] of body as FormData) {
    if (typeof value === "string") form.append(name, value);
    else form.append(name, value, value.name);
  }
  return form;
}

export function isForm(body: unknown): boolean {
  if (typeof body !== "object" || body === null) return false;
  return (body as { readonly [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === "FormData";
}
