import type { Verb } from "./call.ts";
import { definitionOption } from "./definition-option.ts";
import { withDatabase } from "./open-database.ts";
import { DATABASE } from "./options.ts";
import { tellFindings } from "./tell-findings.ts";

/** `underpin verify`: whether all that is declared is there and healthy. */
export const verifyVerb: Verb = {
  name: "verify",
  summary: "Whether all that is declared is there and healthy; exit code 3 where something is not",
  operands: [],
  options: ["definition", ...DATABASE],
  notes:
    "It changes nothing. Below each finding stands the SQL that mends it, where no person has to decide.",
  run: async (call) => {
    const definition = await definitionOption(call);
    // Here, because few verbs need Drizzle.
    const { verify } = await import("../install/verify.ts");
    return withDatabase(call, async ({ db }) => tellFindings(call, await verify(db, definition)));
  },
};
