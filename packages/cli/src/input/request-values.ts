/** Parts of requests as lines of JSON have them. */

/** @returns a sentence when it is no object */
export function parseObjectLine(line: string): Record<string, unknown> | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return line.trim() === "" ? "the line is empty" : "the line is no JSON";
  }
  return isObject(value) ? value : "the line is no JSON object";
}

/** Those of `fields` that are there. @returns a sentence when one is no text */
export function readTexts<Field extends string>(
  value: Record<string, unknown>,
  fields: readonly Field[],
): Partial<Record<Field, string>> | string {
  const texts: Partial<Record<Field, string>> = {};
  for (const field of fields) {
    const found = value[field];
    if (found === undefined || found === null) continue;
    if (typeof found !== "string") return `"${field}" is no text`;
    texts[field] = found;
  }
  return texts;
}

export function readHeaders(value: unknown): Record<string, string | string[]> | string {
  if (!isObject(value)) return '"headers" is no object';
  const headers: Record<string, string | string[]> = Object.create(null);
  for (const [name, found] of Object.entries(value)) {
    if (typeof found === "string") headers[name] = found;
    else if (Array.isArray(found) && found.every((each) => typeof each === "string")) headers[name] = found;
    else if (typeof found === "number" || typeof found === "boolean") headers[name] = String(found);
    else return `header ${JSON.stringify(name)} is neither a text nor a list of texts`;
  }
  return headers;
}

export function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65_535;
}

export function isLabels(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((label) => typeof label === "string");
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
