/**
 * First value of a header. Undefined: there is none.
 * @param lines flat `[name, value, …]` @param name in lower case
 */
export function firstValue(lines: readonly string[], name: string): string | undefined {
  for (let index = 0; index < lines.length; index += 2) {
    const key = lines[index]!; // flat pairs
    if (key.length === name.length && (key === name || key.toLowerCase() === name)) return lines[index + 1];
  }
  return undefined;
}
