/**
 * A JSON object as the parts of a token are: one meaning only. `JSON.parse` takes the last of two values of one name where
 * other readers take the first, so a token that says something twice could mean one thing here and another behind us.
 */

export type JsonObject = Readonly<Record<string, unknown>>;

/** As protobuf's reader, which Envoy uses. */
const DEEPEST = 100;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/** @returns undefined for what is no object, holds a name twice, or is too deep */
export function parseJsonObject(text: string): JsonObject | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value) || !isPlain(text)) return undefined;
  return value as JsonObject;
}

/** @param text valid JSON */
function isPlain(text: string): boolean {
  const names: (Set<string> | undefined)[] = [];
  for (let index = 0; index < text.length; index++) {
    switch (text[index]) {
      case "{":
      case "[":
        if (names.push(text[index] === "{" ? new Set() : undefined) > DEEPEST) return false;
        break;
      case "}":
      case "]":
        names.pop();
        break;
      case '"': {
        const start = index;
        index = endOfString(text, index);
        const known = names.at(-1);
        if (known === undefined || !isName(text, index)) break;
        const name = JSON.parse(text.slice(start, index + 1)) as string; // two spellings of one name are one
        if (known.has(name)) return false;
        known.add(name);
        break;
      }
    }
  }
  return true;
}

/** @returns the index of the closing quote */
function endOfString(text: string, start: number): number {
  let index = start + 1;
  while (text.charCodeAt(index) !== QUOTE) index += text.charCodeAt(index) === BACKSLASH ? 2 : 1;
  return index;
}

function isName(text: string, end: number): boolean {
  let index = end + 1;
  while (text.charCodeAt(index) <= 0x20) index += 1;
  return text.charCodeAt(index) === COLON;
}
