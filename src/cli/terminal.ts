/** Where the command line writes, and what it may write there. */
export interface Terminal {
  /** One or more lines for stdout. */
  readonly out: (text: string) => void;
  /** One or more lines for stderr. */
  readonly err: (text: string) => void;
  /** Text for stdout as it is: cursor movements of the progress bar. */
  readonly raw: (text: string) => void;
  /** Whether stdout is a terminal: a bar may be drawn over itself. */
  readonly interactive: boolean;
  readonly colour: boolean;
  readonly columns: number;
}

/** The terminal of a process. Colour only on a terminal, and not where `NO_COLOR` is set (https://no-color.org). */
export function processTerminal({ stdout, stderr, env }: NodeJS.Process): Terminal {
  const interactive = stdout.isTTY === true && env["TERM"] !== "dumb";
  return {
    out: (text) => void stdout.write(`${text}\n`),
    err: (text) => void stderr.write(`${text}\n`),
    raw: (text) => void stdout.write(text),
    interactive,
    colour: interactive && (env["NO_COLOR"] ?? "") === "",
    // Some terminals say that they have no columns.
    columns: stdout.columns || 80,
  };
}

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

/** Paints a text where the terminal shows colour. */
export function paint(
  { colour }: Pick<Terminal, "colour">,
  style: keyof typeof CODES,
  text: string,
): string {
  return colour ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text;
}
