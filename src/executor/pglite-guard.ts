import { UnderpinError } from "../errors.ts";

/** Statements that hang PGlite for ever, break it, or do not do there what they say. */
const REFUSED: readonly (readonly [RegExp, string, string])[] = [
  [
    /^set\s+(?:local\s+|session\s+)?(?:transaction_timeout|idle_in_transaction_session_timeout|idle_session_timeout)\s*(?:=|\bto\b)\s*'?(?!0\b|default\b)/i,
    "when this limit expires the process spins for ever",
    "Leave it at 0: there is one session, and nobody waits for it.",
  ],
  [
    /\bset_config\s*\(\s*'(?:transaction_timeout|idle_in_transaction_session_timeout|idle_session_timeout)'\s*,\s*'(?!0\D)/i,
    "when this limit expires the process spins for ever",
    "Leave it at 0: there is one session, and nobody waits for it.",
  ],
  [
    /^copy\s[\s\S]*\bfrom\s+stdin\b/i,
    "it waits for input that can never come",
    "Use COPY … FROM '/dev/blob' with the blob option of PGlite, or INSERT.",
  ],
  [
    /^copy\s[\s\S]*\b(?:to|from)\s+program\b/i,
    "the next query hangs",
    "There are no programs to run in an embedded database.",
  ],
  [
    /^(?:set|reset)\s+(?:local\s+|session\s+)?session\s+authorization\b/i,
    "RESET and the end of a transaction do not give the user back",
    "Use SET [LOCAL] ROLE and RESET ROLE: they work.",
  ],
  [
    /^create\s+subscription\b/i,
    "it fails, and every dynamic library fails to load from then on",
    "Test logical replication on a server.",
  ],
];

/** Refuses a statement that PGlite must not be given. */
export function refuseForPglite(text: string): void {
  for (const statement of text.split(";")) {
    const bare = withoutLeadingComments(statement);
    for (const [pattern, why, instead] of REFUSED)
      if (pattern.test(bare))
        throw new UnderpinError({
          code: "embeddedLimit",
          message: `PGlite must not run "${bare.slice(0, 80)}": ${why}`,
          hint: instead,
        });
  }
}

/** Whether a text holds anything to execute: only then is a result without a command a lost statement. */
export function isStatement(text: string): boolean {
  return text.split(";").some((statement) => withoutLeadingComments(statement) !== "");
}

function withoutLeadingComments(statement: string): string {
  return statement.replace(/^(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)+/, "").trim();
}
