import { isUnderpinError, sqlStateOf, toError } from "../errors.ts";
import { EXIT, exitOf, type ExitCode } from "./exit-code.ts";
import { paint, type Terminal } from "./terminal.ts";

/** A refusal or failure as the command line tells it. */
interface Told {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly sqlState?: string;
}

/** Tells a person, and with `json` also a program, what went wrong; never a stack trace. Returns the exit code. */
export function fail(
  error: unknown,
  terminal: Terminal,
  json: boolean,
  besides: Readonly<Record<string, unknown>> = {},
): ExitCode {
  const told = tell(error);
  if (json) terminal.out(JSON.stringify({ error: told, ...besides }, null, 2));
  terminal.err(`${paint(terminal, "red", "error:")} ${told.message}`);
  terminal.err(`${paint(terminal, "dim", "what to do:")} ${told.hint}`);
  return isUnderpinError(error) ? exitOf(error.code) : EXIT.failed;
}

function tell(error: unknown): Told {
  const sqlState = sqlStateOf(error);
  const state = sqlState === undefined ? {} : { sqlState };
  if (isUnderpinError(error)) {
    const { code, message, hint } = error;
    return { code, message, hint: CLI_HINTS[code] ?? hint, ...state };
  }
  const message = toError(error).message.slice(0, 2_000);
  return sqlState === undefined
    ? {
        code: "unexpected",
        message,
        hint: "See whether the database is as it should be: underpin doctor",
      }
    : {
        code: "database",
        message: `the database refused: ${message} (SQLSTATE ${sqlState})`,
        hint:
          sqlState === "42501"
            ? "This login lacks the right: run as the owner of the objects, or have it granted. See: underpin doctor"
            : "See whether the database is as it should be: underpin doctor",
      };
}

/** Where the library's hint is code, the command line's is a command. */
const CLI_HINTS: Readonly<Partial<Record<string, string>>> = {
  planChanged:
    "Give the changed plan a new name, or take the old one back first: underpin undo NAME",
  missingHandler:
    "Export it beside the plan: export const handlers = { NAME: { version: 1, run: async (argument) => { … } } };",
  irreversible:
    "Nothing was touched. Take back what came after it only: underpin undo NAME --up-to STEP, with a later step.",
  leaseUnknown:
    "Run as the login that began it, or as a superuser: GRANT pg_read_all_stats, pg_signal_backend TO this login; and try again.",
};
