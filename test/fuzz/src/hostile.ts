/** Values and keys that have broken configuration readers. */

export const HOSTILE_KEYS: readonly string[] = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "length",
  "then",
  "",
  "0",
  "<<",
];

export const HOSTILE_TEXTS: readonly string[] = [
  "__proto__",
  '{"__proto__": {"polluted": true}}',
  "(a+)+$",
  "(?<=a)b",
  "[",
  "\\",
  "*",
  "*.*",
  "..",
  "%REQ(",
  "%",
  "\r\nx-evil: 1",
  "\u0000",
  "\ufeff",
  "\ud800",
  "9999999999999999999h",
  "-1s",
  "1e400s",
  "0.0000000001s",
  "::1",
  "999.1.1.1/64",
  "outbound|80||x",
  "~/*",
  "spiffe://",
  "on",
  "!!js/function x",
  "&a [*a]",
  "a".repeat(300),
];

const HOSTILE_NUMBERS: readonly number[] = [0, -1, -0, 0.5, 1e308, 2 ** 31, 2 ** 32, 2 ** 53, 65_536, 100.01];

/** @param random 0 up to 1 */
export function hostileValue(random: () => number): unknown {
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item; // in range
  switch (Math.floor(random() * 8)) {
    case 0:
      return null;
    case 1:
      return random() < 0.5;
    case 2:
      return pick(HOSTILE_NUMBERS);
    case 3:
      return [];
    case 4:
      return JSON.parse(`{"${pick(HOSTILE_KEYS)}": {"polluted": true}}`);
    case 5:
      return nested(Math.floor(random() * 60));
    default:
      return pick(HOSTILE_TEXTS);
  }
}

function nested(depth: number): unknown {
  let value: unknown = "deep";
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { inner: value };
  return value;
}
