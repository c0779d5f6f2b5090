import { baseline } from "../migrations/baseline.ts";
import { operand, type Verb } from "./call.ts";
import { allowOption, folderOption } from "./folder-option.ts";
import { tellMigrations } from "./migration-text.ts";
import { withDatabase } from "./open-database.ts";
import { DATABASE } from "./options.ts";
import { schemaOption } from "./run-options.ts";

/** `underpin baseline VERSION`: marks migrations as applied. */
export const baselineVerb: Verb = {
  name: "baseline",
  summary: "Mark the migrations up to one as applied without running them",
  operands: [
    { name: "VERSION", help: "The last one that the database has, or the beginning of its name" },
  ],
  options: ["folder", "only", "allow", ...DATABASE],
  run: (call) => {
    const folder = folderOption(call);
    return withDatabase(call, async ({ db }) =>
      tellMigrations(
        call,
        await baseline(db, {
          folder,
          version: operand(call, 0),
          only: call.options.only === true,
          allow: allowOption(call),
          ...schemaOption(call),
        }),
      ),
    );
  },
};
