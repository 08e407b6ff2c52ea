/** Every parser that is fuzzed, by the name its thread is started with. Loaded one by one. */

import type { InputTarget } from "./target.js";

export const TARGETS: Readonly<Record<string, () => Promise<InputTarget>>> = {
  path: async () => (await import("./path.js")).PATH,
  "forwarded-for": async () => (await import("./forwarded-for.js")).FORWARDED_FOR,
  certificate: async () => (await import("./certificates.js")).CERTIFICATE,
  svid: async () => (await import("./certificates.js")).SVID,
  san: async () => (await import("./san.js")).SAN_VALUE,
  csr: async () => (await import("./certificates.js")).CSR,
  pem: async () => (await import("./certificates.js")).PEM,
  jwks: async () => (await import("./jwks.js")).JWKS,
  jwt: async () => (await import("./jwt.js")).JWT,
  cookie: async () => (await import("./cookie.js")).COOKIE,
  headers: async () => (await import("./headers.js")).HEADERS,
  "spiffe-id": async () => (await import("./spiffe-id.js")).SPIFFE_ID,
  xds: async () => (await import("./xds.js")).XDS,
};
