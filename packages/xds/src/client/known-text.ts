/**
 * @param known a text that is kept anyway
 * @returns that very text where `read` says the same, so that a thousand names are not kept twice
 */
export function knownText(read: string, known: string | undefined): string {
  return read === known ? known : read;
}
