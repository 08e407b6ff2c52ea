/** What is wrong with a certificate, a request for one or a key, in words for the operator. Holds nothing secret. */
export class SvidProblem extends Error {
  override readonly name = "SvidProblem";
}

/** Text that somebody else wrote, so that it can stand in a line of a log. */
export function quoted(text: string): string {
  const shown = text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
  return JSON.stringify(shown).replace(/[\u007f-\u{10ffff}]/gu, (character) => {
    return character === "…" ? character : `\\u${character.codePointAt(0)?.toString(16).padStart(4, "0")}`;
  });
}

const MOST_SHOWN = 200;
