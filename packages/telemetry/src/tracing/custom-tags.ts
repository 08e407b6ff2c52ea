/** `customTags` of Telemetry resources. */

import type { OutcomeRecord } from "@inmesh/core";
import type { CustomTag } from "@inmesh/model";
import type { Span } from "@opentelemetry/api";
import { compileText, type WriteLine } from "../access-log/format-line.js";

/** As Envoy cuts them. */
const LONGEST = 256;

type Env = Readonly<Record<string, string | undefined>>;

export function addCustomTags(span: Span, tags: readonly CustomTag[], record: OutcomeRecord, env: Env): void {
  for (const tag of tags) {
    const value = tagValue(tag, record, env);
    if (value !== "") span.setAttribute(tag.name, value.slice(0, LONGEST));
  }
}

function tagValue(tag: CustomTag, record: OutcomeRecord, env: Env): string {
  switch (tag.kind) {
    case "literal":
      return tag.value;
    case "environment":
      return env[tag.variable] ?? tag.fallback;
    case "header":
      return record.requestHeader(tag.header) ?? tag.fallback;
    case "formatter":
      return formatted(tag.format, record);
  }
}

/** Of formats that Telemetry resources name, which are few. */
const compiled = new Map<string, WriteLine>();
const MOST_FORMATS = 200;

function formatted(format: string, record: OutcomeRecord): string {
  let write = compiled.get(format);
  if (write === undefined) {
    if (compiled.size >= MOST_FORMATS) compiled.clear();
    write = compileText(format, false);
    compiled.set(format, write);
  }
  return write(record).trimEnd();
}
