/** Certificates and keys as the Workload API has them, in PEM. */

const LINE = 64;

/** @param der certificates, one behind the other @throws {RangeError} where one is cut off */
export function certificatesPem(der: Uint8Array): string {
  let text = "";
  for (let at = 0; at < der.length; ) {
    const end = at + elementLength(der, at);
    if (end > der.length) throw new RangeError(`a certificate is cut off at byte ${der.length}`);
    text += pem("CERTIFICATE", der.subarray(at, end));
    at = end;
  }
  return text;
}

/** @param der PKCS#8 */
export function privateKeyPem(der: Uint8Array): string {
  return pem("PRIVATE KEY", der);
}

/** Of an element of DER with its head (X.690 §8.1). */
function elementLength(der: Uint8Array, at: number): number {
  const first = der[at + 1] ?? 0;
  if (first < 0x80) return 2 + first;
  const count = first & 0x7f;
  if (count === 0 || count > 4) throw new RangeError(`no length of a certificate at byte ${at + 1}`);
  let length = 0;
  for (let index = 0; index < count; index++) length = length * 256 + (der[at + 2 + index] ?? 0);
  return 2 + count + length;
}

function pem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.length).toString("base64");
  const lines = base64.match(new RegExp(`.{1,${LINE}}`, "g")) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
