/** Types of google.protobuf that JSON writes in a form of their own (protobuf.dev/programming-guides/json). */

export const WRAPPERS: Readonly<Record<string, string>> = {
  "google.protobuf.DoubleValue": "double",
  "google.protobuf.FloatValue": "float",
  "google.protobuf.Int64Value": "int64",
  "google.protobuf.UInt64Value": "uint64",
  "google.protobuf.Int32Value": "int32",
  "google.protobuf.UInt32Value": "uint32",
  "google.protobuf.BoolValue": "bool",
  "google.protobuf.StringValue": "string",
  "google.protobuf.BytesValue": "bytes",
};

const NANOS = 1_000_000_000;

/** `1.5s`, as short as it can be said. */
export function durationText(seconds: number, nanos: number): string {
  const negative = seconds < 0 || nanos < 0;
  const fraction = String(Math.abs(nanos)).padStart(9, "0").replace(/0+$/, "");
  return `${negative ? "-" : ""}${Math.abs(seconds)}${fraction === "" ? "" : `.${fraction}`}s`;
}

/** @returns undefined for what is no such text */
export function parseDurationText(text: string): { readonly seconds: number; readonly nanos: number } | undefined {
  const [, sign, whole = "", fraction = ""] = /^(-?)(\d+)(?:\.(\d{1,9}))?s$/.exec(text) ?? [];
  if (whole === "") return undefined;
  const factor = sign === "-" ? -1 : 1;
  return { seconds: factor * Number(whole) || 0, nanos: factor * Number(fraction.padEnd(9, "0")) || 0 };
}

/** RFC 3339 in UTC, with as many digits of the second as it takes. */
export function timestampText(seconds: number, nanos: number): string {
  const whole = new Date(seconds * 1_000);
  if (Number.isNaN(whole.getTime())) return durationText(seconds, nanos);
  const fraction = String(nanos).padStart(9, "0").replace(/0+$/, "");
  return `${whole.toISOString().slice(0, 19)}${fraction === "" ? "" : `.${fraction}`}Z`;
}

/** @returns undefined for what is no such text */
export function parseTimestampText(text: string): { readonly seconds: number; readonly nanos: number } | undefined {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) return undefined;
  const [, fraction = ""] = /\.(\d{1,9})/.exec(text) ?? [];
  const nanos = Number(fraction.padEnd(9, "0"));
  return { seconds: Math.floor(ms / 1_000), nanos: nanos % NANOS };
}
