/** Apart from what reads it: the seams need no more than this before the first request. */

/** The head of a request, of HTTP/1.1 or HTTP/2. What is hidden goes out of these objects, which the application sees. */
export interface RequestHead {
  readonly headers: Record<string, string | string[] | undefined>;
  readonly rawHeaders: string[];
  /** HTTP/1.1 only. */
  readonly headersDistinct?: Record<string, string[] | undefined>;
}

/** Whether it is one; applications emit events and call listeners with objects of their own making. */
export function isRequestHead(given: unknown): given is RequestHead {
  const { headers, rawHeaders } = (given ?? {}) as Partial<RequestHead>;
  return Array.isArray(rawHeaders) && typeof headers === "object" && headers !== null;
}
