import type { OptionName } from "./options.ts";
import type { Terminal } from "./terminal.ts";
import type { ExitCode } from "./exit-code.ts";

/** The options of one call: a text for each that has a value, true for a switch that is set. */
export type OptionValues = Readonly<Partial<Record<OptionName, string | boolean>>>;

/** One call of a verb, read and checked. */
export interface Call {
  readonly operands: readonly string[];
  readonly options: OptionValues;
  readonly terminal: Terminal;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

/** A verb of the command line. */
export interface Verb {
  readonly name: string;
  /** What it does, in one line. */
  readonly summary: string;
  /** What stands after the verb, in order. */
  readonly operands: readonly Operand[];
  readonly options: readonly OptionName[];
  /** What a person should know beside the options. */
  readonly notes?: string;
  readonly run: (call: Call) => Promise<ExitCode>;
}

/** One thing that stands after a verb. */
export interface Operand {
  readonly name: string;
  readonly help: string;
  /** There may be any number of them, none included: the last operand of its verb. */
  readonly many?: true;
}

/** The text of an option, where it was given. */
export function textOption({ options }: Call, name: OptionName): string | undefined {
  const value = options[name];
  return typeof value === "string" ? value : undefined;
}

/** An operand that the parser has made sure of. */
export function operand({ operands }: Call, at: number): string {
  return operands[at] ?? "";
}
