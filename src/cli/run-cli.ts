import { parseArguments } from "./arguments.ts";
import type { Call } from "./call.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { fail } from "./fail.ts";
import { programHelp, verbHelp } from "./help.ts";
import { VERBS } from "./verbs.ts";
import { VERSION } from "./version.ts";

/** Runs one command line and returns its exit code. Whatever goes wrong is told in words. */
export async function runCli(
  argv: readonly string[],
  { terminal, environment, signal }: Omit<Call, "operands" | "options">,
): Promise<ExitCode> {
  const json = argv.includes("--json");
  try {
    const parsed = parseArguments(argv, VERBS);
    switch (parsed.kind) {
      case "version":
        terminal.out(json ? JSON.stringify({ version: VERSION }) : VERSION);
        return EXIT.done;
      case "help": {
        const text = parsed.verb === undefined ? programHelp(VERBS) : verbHelp(parsed.verb);
        terminal.out(json ? JSON.stringify({ help: text }) : text);
        return argv.length === 0 ? EXIT.misuse : EXIT.done;
      }
      case "call": {
        const { verb, operands, options } = parsed;
        return await verb.run({ operands, options, terminal, environment, signal });
      }
    }
  } catch (error) {
    return fail(error, terminal, json);
  }
}
