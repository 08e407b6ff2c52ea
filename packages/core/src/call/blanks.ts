/** HTTP takes the blanks around a header's value away (RFC 9110 §5.5): who receives the request never sees them. */
export function withoutBlanks(value: string): string {
  return isBlank(value.charCodeAt(0)) || isBlank(value.charCodeAt(value.length - 1))
    ? value.replace(BLANKS, "")
    : value;
}

const BLANKS = /^[ \t]+|[ \t]+$/g;

/** @param code NaN beyond the end */
function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
