/** What a rule of our own kinds may ask of a request: the part of a VirtualService's match that a server can see. */

import * as z from "zod/mini";
import { flag, message, stringMatch } from "./field.js";

const matches = z.record(z.string(), stringMatch);

export const requestMatch = message({
  uri: stringMatch,
  ignoreUriCase: flag,
  method: stringMatch,
  authority: stringMatch,
  headers: matches,
  withoutHeaders: matches,
  queryParams: matches,
});

export type RequestMatchSpec = z.infer<typeof requestMatch>;
