/** Server-Sent Events out of pieces of text, as the admin endpoint writes them: one line of data, in JSON. */

const MOST_CHARS = 1024 * 1024;

export class EventText {
  readonly #onEvent: (name: string, data: unknown) => void;
  #rest = "";

  constructor(onEvent: (name: string, data: unknown) => void) {
    this.#onEvent = onEvent;
  }

  /** @returns false when an event has become larger than any may be */
  add(text: string): boolean {
    const events = (this.#rest + text).split("\n\n");
    this.#rest = events.pop() ?? "";
    for (const event of events) this.#read(event);
    return this.#rest.length <= MOST_CHARS;
  }

  #read(event: string): void {
    let name = "message";
    let data = "";
    for (const line of event.split("\n")) {
      if (line.startsWith("event: ")) name = line.slice("event: ".length);
      else if (line.startsWith("data: ")) data += line.slice("data: ".length);
    }
    if (data === "") return; // a sign of life
    try {
      this.#onEvent(name, JSON.parse(data));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error; // what is no JSON is no event of ours
    }
  }
}
