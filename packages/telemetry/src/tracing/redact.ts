/** What of a URL may be seen by whoever sees traces. */

const REDACTED = "REDACTED";
/** Query keys that OpenTelemetry's conventions name, and those under which secrets are sent all over the world. */
const ALWAYS = [
  ...["AWSAccessKeyId", "Signature", "sig", "X-Goog-Signature", "X-Amz-Signature", "X-Amz-Credential"],
  ...["X-Amz-Security-Token", "access_token", "api_key", "apikey", "key", "token", "password", "secret", "code"],
];
/** Longest URL or path on a span. */
const LONGEST = 2_048;

export class Redaction {
  readonly #keys: ReadonlySet<string>;

  /** @param more query keys, in any case */
  constructor(more: readonly string[] = []) {
    this.#keys = new Set([...ALWAYS, ...more].map((key) => key.toLowerCase()));
  }

  /** @param query without `?` */
  query(query: string): string {
    if (query === "") return "";
    const parts = query.slice(0, LONGEST).split("&");
    for (let index = 0; index < parts.length; index++) {
      const part = parts[index]!; // in range
      const equals = part.indexOf("=");
      if (equals >= 0 && this.#keys.has(keyOf(part.slice(0, equals))))
        parts[index] = `${part.slice(0, equals)}=${REDACTED}`;
    }
    return parts.join("&");
  }

  /** @param authority as the caller wrote it: user info goes */
  url(scheme: string, authority: string, path: string, query: string): string {
    const shown = `${scheme}://${authority.slice(authority.lastIndexOf("@") + 1)}${path}`;
    return query === "" ? shown.slice(0, LONGEST) : `${shown}?${this.query(query)}`.slice(0, LONGEST);
  }
}

function keyOf(written: string): string {
  try {
    return decodeURIComponent(written).toLowerCase();
  } catch {
    return written.toLowerCase();
  }
}
