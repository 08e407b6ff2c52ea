/** Recorded cases (`group/index`) where we answer otherwise on purpose, and why. */

/**
 * Envoy sends the body of a directResponse 204 on the wire, which no HTTP/1.1 client can read: the recording has lost
 * the headers of these answers. We send the headers and no body (policy-semantics §10.14).
 */
export const BODY_OF_204: readonly string[] =
  "d101-61/11 d101-193/0 d101-193/1 d101-193/3 d101-193/4 d101-193/5 d101-193/6 d101-193/7 d101-193/9 d101-193/10 d101-256/0 d101-256/1 d101-256/2 d101-256/3 d101-256/4 d101-256/5 d101-256/8 d101-256/10 d101-256/11".split(
    " ",
  );
