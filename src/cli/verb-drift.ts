import { textOption, type Verb } from "./call.ts";
import { definitionOption } from "./definition-option.ts";
import { withDatabase } from "./open-database.ts";
import { DATABASE } from "./options.ts";
import { tellFindings } from "./tell-findings.ts";

/** `underpin drift`: what differs from the definition, and what nobody declared. */
export const driftVerb: Verb = {
  name: "drift",
  summary: "What differs from the definition, and what nobody declared; exit code 3 on findings",
  operands: [],
  options: ["definition", "shadow", ...DATABASE],
  notes:
    "It changes nothing. --shadow is an empty scratch database of the same version, in which the definition is made and rolled back; without it that is done in this process, on PGlite.",
  run: async (call) => {
    const definition = await definitionOption(call);
    const { drift } = await import("../kit/drift.ts");
    const shadow = textOption(call, "shadow");
    return withDatabase(call, async ({ db }) => {
      if (shadow === undefined) return tellFindings(call, await drift(db, definition));
      const other = { ...call, options: { ...call.options, url: shadow } };
      return withDatabase(other, async ({ db: scratch }) =>
        tellFindings(call, await drift(db, definition, { shadow: scratch })),
      );
    });
  },
};
