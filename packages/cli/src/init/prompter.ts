/** Questions to a person. Only on a terminal; the library behind them is loaded with the first one. */

export interface TextQuestion {
  readonly message: string;
  readonly initial: string;
  /** @returns a sentence about what is wrong, undefined when nothing is */
  readonly check: (answer: string) => string | undefined;
}

/** Every method resolves with undefined when the person has had enough. */
export interface Prompter {
  text(question: TextQuestion): Promise<string | undefined>;
  confirm(message: string): Promise<boolean | undefined>;
}

export async function terminalPrompter(): Promise<Prompter> {
  const { text, confirm, isCancel } = await import("@clack/prompts");
  return {
    async text({ message, initial, check }) {
      const validate = (answer: string | undefined): string | undefined => check(answer || initial);
      const answer = await text({ message, placeholder: initial, defaultValue: initial, validate });
      return isCancel(answer) ? undefined : answer;
    },
    async confirm(message) {
      const answer = await confirm({ message });
      return isCancel(answer) ? undefined : answer;
    },
  };
}
