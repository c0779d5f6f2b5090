import { status } from "../migrations/status.ts";
import type { Verb } from "./call.ts";
import { folderOption } from "./folder-option.ts";
import { tellStatus } from "./migration-text.ts";
import { withDatabase } from "./open-database.ts";
import { DATABASE } from "./options.ts";
import { schemaOption } from "./run-options.ts";

/** `underpin status`: how far a database is with a folder. */
export const statusVerb: Verb = {
  name: "status",
  summary: "Say which migrations are applied and pending, and what is wrong; exit code 3 if any is",
  operands: [],
  options: ["folder", ...DATABASE],
  run: (call) => {
    const folder = folderOption(call);
    return withDatabase(call, async ({ db }) =>
      tellStatus(call, await status(db, { folder, ...schemaOption(call) })),
    );
  },
};
