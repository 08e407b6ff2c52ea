/** A name or value of a query as its reader sees it: an escaped name is the same name. What cannot be decoded stays. */
export function unescaped(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
