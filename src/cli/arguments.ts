import { parseArgs } from "node:util";
import { toError, type UnderpinError } from "../errors.ts";
import type { OptionValues, Verb } from "./call.ts";
import { misuse, nearest } from "./misuse.ts";
import { COMMON, OPTIONS, type OptionName } from "./options.ts";

/** A command line that has been read: a verb with its operands, or a question about the program. */
export type Parsed =
  | { readonly kind: "help"; readonly verb: Verb | undefined }
  | { readonly kind: "version" }
  | {
      readonly kind: "call";
      readonly verb: Verb;
      readonly operands: readonly string[];
      readonly options: OptionValues;
    };

/** Reads the arguments of the process; throws what is wrong with them in one sentence. */
export function parseArguments(argv: readonly string[], verbs: readonly Verb[]): Parsed {
  const [first, ...rest] = argv;
  if (first === "--version") return { kind: "version" };
  if (first === undefined || first === "--help" || first === "-h" || first === "help")
    return { kind: "help", verb: verbs.find(({ name }) => name === rest[0]) };
  const verb = verbs.find(({ name }) => name === first);
  if (verb === undefined) throw unknownVerb(first, verbs);
  const allowed = [...verb.options, ...COMMON] as readonly OptionName[];
  const { values, positionals } = read(rest, verb, allowed);
  if (values["help"] === true) return { kind: "help", verb };
  const missing = verb.operands[positionals.length];
  if (missing !== undefined && missing.many !== true)
    throw misuse(`underpin ${verb.name} needs ${missing.name}: ${missing.help}`, usage(verb));
  const takesMany = verb.operands.some((operand) => operand.many === true);
  if (positionals.length > verb.operands.length && !takesMany)
    throw misuse(
      `underpin ${verb.name} does not know what to do with "${positionals[verb.operands.length]}"`,
      usage(verb),
    );
  return { kind: "call", verb, operands: positionals, options: values };
}

/** The first line of a verb's help. */
export function usage({ name, operands, options }: Verb): string {
  const words = operands
    .map((operand) => (operand.many === true ? ` [${operand.name} …]` : ` ${operand.name}`))
    .join("");
  return `Usage: underpin ${name}${words}${options.length > 0 ? " [options]" : ""}`;
}

function read(args: readonly string[], verb: Verb, allowed: readonly OptionName[]) {
  const options = Object.fromEntries(
    allowed.map((name) => {
      const spec: { type: "string" | "boolean"; short?: string } = OPTIONS[name];
      return [
        name,
        { type: spec.type, ...(spec.short === undefined ? {} : { short: spec.short }) },
      ];
    }),
  );
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw badOption(error, args, verb, allowed);
  }
}

function badOption(
  error: unknown,
  args: readonly string[],
  verb: Verb,
  allowed: readonly OptionName[],
): UnderpinError {
  const { code, message } = toError(error) as Error & { code?: string };
  if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") {
    const given = /'(-[^']*)'/.exec(message)?.[1] ?? args.find((arg) => arg.startsWith("-")) ?? "";
    const known = nearest(given.replace(/^-+/, ""), allowed);
    return misuse(
      `underpin ${verb.name} has no option ${given}`,
      known === undefined
        ? `See its options: underpin ${verb.name} --help`
        : `Did you mean --${known}? All options: underpin ${verb.name} --help`,
    );
  }
  // Node adds advice on the next lines; its first sentence says what is wrong.
  return misuse(
    `underpin ${verb.name}: ${message.split("\n")[0]}`,
    `See its options: underpin ${verb.name} --help`,
  );
}

function unknownVerb(word: string, verbs: readonly Verb[]): UnderpinError {
  const names = verbs.map(({ name }) => name);
  const known = nearest(word, names);
  return misuse(
    word.startsWith("-") ? `the verb comes first, before ${word}` : `there is no verb "${word}"`,
    known === undefined
      ? `The verbs: ${names.join(", ")}. More: underpin --help`
      : `Did you mean "underpin ${known}"? All verbs: underpin --help`,
  );
}
