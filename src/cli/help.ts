import { usage } from "./arguments.ts";
import type { Verb } from "./call.ts";
import { COMMON, OPTIONS, type OptionName } from "./options.ts";
import { VERSION } from "./version.ts";

/** The help of the program. */
export function programHelp(verbs: readonly Verb[]): string {
  return [
    `underpin ${VERSION}: database changes as plans that survive crashes and can be taken back`,
    "",
    "Usage: underpin VERB [options]",
    "",
    ...table(
      verbs.map(({ name, operands, summary }) => [
        [name, ...operands.map((operand) => operand.name)].join(" "),
        summary,
      ]),
    ),
    "",
    "The options of a verb: underpin VERB --help",
    "",
    "Exit codes: 0 done, 1 failed, 2 misuse, 3 findings or stopped before the end by somebody's wish",
  ].join("\n");
}

/** The help of one verb. */
export function verbHelp(verb: Verb): string {
  const options: readonly OptionName[] = [...verb.options, ...COMMON];
  return [
    usage(verb),
    "",
    verb.summary,
    ...(verb.notes === undefined ? [] : ["", verb.notes]),
    "",
    ...table([
      ...verb.operands.map(({ name, help }): [string, string] => [name, help]),
      ...options.map((name): [string, string] => {
        const { value, short, help } = OPTIONS[name] as {
          value?: string;
          short?: string;
          help: string;
        };
        const flag = `${short === undefined ? "" : `-${short}, `}--${name}`;
        return [value === undefined ? flag : `${flag} ${value}`, help];
      }),
    ]),
  ].join("\n");
}

function table(rows: readonly (readonly [string, string])[]): readonly string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
