import { existsSync } from "node:fs";
import { backupHandlers } from "../migrations/require-backup.ts";
import type { Handler } from "../run/options.ts";
import { textOption, type Call } from "./call.ts";
import { readHandlers } from "./plan-file.ts";

/** Where handlers are looked for in the current directory, so that every host finds those that a stored plan names. */
const CONFIGURATIONS = ["ts", "mts", "cts", "js", "mjs", "cjs"].map(
  (ending) => `underpin.config.${ending}`,
);

/**
 * The handlers of `--handlers`, before those of the plan's own file, before those of `underpin.config`, where there is one, before those of
 * steps that the library makes.
 */
export async function handlersOption(
  call: Call,
  own: Readonly<Record<string, Handler>> = {},
): Promise<Readonly<Record<string, Handler>>> {
  const configuration = CONFIGURATIONS.find((name) => existsSync(name));
  const file = textOption(call, "handlers");
  return {
    ...backupHandlers,
    ...(configuration === undefined ? {} : await readHandlers(configuration, "if there are any")),
    ...own,
    ...(file === undefined ? {} : await readHandlers(file)),
  };
}
