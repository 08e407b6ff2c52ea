/** Envoy's messages as they are read here: plain objects in the form of `../proto/decode.js`. */

import { DISCOVERY } from "../generated/discovery.js";
import { ENVOY } from "../generated/envoy.js";
import { decodeMessage, type RawAny } from "../proto/decode.js";
import { Schema } from "../proto/schema.js";

/** One for the process: its tables are read message by message, on first use. */
export const SCHEMA = new Schema(ENVOY, DISCOVERY);

/** A message whose fields are all optional, as on the wire. */
export type Fields<Shape> = { readonly [Key in keyof Shape]?: Shape[Key] | undefined };

/** An Any: of a message that a table knows its fields beside `@type`, else its type and bytes. */
export type AnyMessage = ({ readonly "@type": string } & Readonly<Record<string, unknown>>) | RawAny;

/** @throws {WireError} */
export function decodeEnvoy<Shape>(name: string, bytes: Uint8Array): Fields<Shape> {
  return decodeMessage(SCHEMA, name, bytes) as Fields<Shape>;
}

/** `envoy.extensions.filters.http.fault.v3.HTTPFault`; of a TypedStruct the type it stands for is not looked at. */
export function anyType(any: AnyMessage | undefined): string {
  if (any === undefined) return "";
  return "@type" in any ? (any["@type"] as string) : (any as RawAny).type;
}

/** The fields, where the Any is of that type. */
export function anyOf<Shape>(any: AnyMessage | undefined, type: string): Fields<Shape> | undefined {
  return any !== undefined && "@type" in any && any["@type"] === type ? (any as Fields<Shape>) : undefined;
}

/** `1.5s` in ms. */
export function durationMs(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : Number.parseFloat(text) * 1_000;
}

/** envoy.type.v3.FractionalPercent. */
export type FractionalPercent = Fields<{ numerator: number; denominator: string | number }>;

const PARTS: Readonly<Record<string, number>> = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 };

/** 0–1. @throws {RangeError} a denominator that nobody knows */
export function fraction({ numerator = 0, denominator = "HUNDRED" }: FractionalPercent): number {
  const parts = PARTS[String(denominator)];
  if (parts === undefined) throw new RangeError(`a fraction has the denominator ${denominator}, which is none`);
  return Math.min(1, numerator / parts);
}

/** core.v3.RuntimeFractionalPercent: the runtime key has no value here, so the default counts. */
export type RuntimeFraction = Fields<{ default_value: FractionalPercent; runtime_key: string }>;
