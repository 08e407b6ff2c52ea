/**
 * Field types that the kinds share. The schemas only judge: they neither fill in defaults nor convert, so what a
 * document says is what a Resource holds. Checks that need Istio's semantics live in ../validate/.
 *
 * zod/mini, not zod: the same validator, but a third less time and memory at start-up, which every service pays.
 */

import * as z from "zod/mini";
import { durationFault } from "./duration.js";

export const text = z.string();
export const flag = z.boolean();
export const int32 = z.int32();
export const uint32 = z.uint32();
/** Beyond 2^53 YAML numbers lose digits, so no larger one is taken. */
export const uint64 = z.int().check(z.minimum(0));
/** The schema refuses nothing that is a number: ranges differ per field and have their own messages. */
export const double = z.number();
export const stringList = z.array(z.string());
export const stringMap = z.record(z.string(), z.string());
export const stringMapOfUint32 = z.record(z.string(), z.uint32());

/** At least 1 ms and no fraction of one: Istio's rule for nearly every duration. */
export const duration = durationOf(1);
export const durationOrZero = durationOf(0);

function durationOf(atLeastMs: number) {
  return z.string().check(
    z.refine((value) => durationFault(value, atLeastMs) === undefined, {
      error: ({ input }) => durationFault(String(input), atLeastMs) ?? "",
    }),
  );
}

/** A protobuf message: every field may be absent, and no other field is allowed. */
export function message<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.partial(z.strictObject(shape));
}

/** A protobuf oneof: at most one of `fields` may be there. */
export function atMostOne<const Field extends string>(...fields: readonly Field[]) {
  const present = (value: object) => fields.filter((field) => (value as Record<string, unknown>)[field] !== undefined);
  return z.refine<object>((value) => present(value).length <= 1, {
    error: ({ input }) => `${present(input as object).join(" and ")} exclude each other. Keep one of them.`,
  });
}

export const percent = message({ value: double });

/** Without any of the three: the value is present, whatever it is. */
export const stringMatch = message({ exact: text, prefix: text, regex: text }).check(
  atMostOne("exact", "prefix", "regex"),
);

export type StringMatch = z.infer<typeof stringMatch>;

export const portSelector = message({ number: uint32 });

export const destination = message({
  host: text,
  subset: text,
  port: portSelector,
});

export type DestinationSpec = z.infer<typeof destination>;

/** Labels under `matchLabels`: PolicyTarget-style selectors. */
export const matchLabelsSelector = message({ matchLabels: stringMap });

/** Labels under `labels`: the older selector of Sidecar and ServiceEntry. */
export const labelsSelector = message({ labels: stringMap });
