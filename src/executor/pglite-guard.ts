import { UnderpinError } from "../errors.ts";
import type { Parameter } from "./executor.ts";
import { statements, type Token } from "./pglite-scan.ts";

/** Limits that end a session while it is idle. A value that is not zero is fatal in PGlite, where nothing can end. */
const IDLE_LIMITS = new Set([
  "transaction_timeout",
  "idle_in_transaction_session_timeout",
  "idle_session_timeout",
]);

/** What a text must hold for one of the refusals to be possible: most texts are not scanned at all. */
const SUSPECT = /_timeout|\bcopy\b|authorization|\bsubscription\b|\bset_config\b/i;

/**
 * Refuses the statements that PGlite (0.5) must not be given: they hang the process, break it, or do not do there what they
 * say. The bodies of functions and DO blocks are not looked into.
 */
export function refuseForPglite(text: string, parameters: readonly Parameter[]): void {
  if (!SUSPECT.test(text)) return;
  for (const statement of statements(text)) {
    const refusal = refusalOf(statement, parameters);
    if (refusal !== undefined)
      throw new UnderpinError({
        code: "embeddedLimit",
        message: `PGlite must not run "${headOf(statement)}": ${refusal.why}`,
        hint: refusal.hint,
      });
  }
}

interface Refusal {
  readonly why: string;
  readonly hint: string;
}

const IDLE_LIMIT: Refusal = {
  why: "when this limit expires, the next query never returns and the process spins",
  hint: "Leave it at 0: there is one session, and nobody waits for it.",
};
const AUTHORIZATION: Refusal = {
  why: "neither RESET nor the end of a transaction gives the user back",
  hint: "Use SET [LOCAL] ROLE and RESET ROLE: they work.",
};
const STDIN: Refusal = {
  why: "it waits for input that can never come",
  hint: "Use INSERT, or COPY … FROM '/dev/blob' with the blob option of PGlite.",
};
const PROGRAM: Refusal = {
  why: "the next query never returns",
  hint: "An embedded database can run no program: read the file yourself.",
};
const SUBSCRIPTION: Refusal = {
  why: "it fails, and from then on no dynamic library can be loaded",
  hint: "Try logical replication on a server.",
};

function refusalOf(all: readonly Token[], parameters: readonly Parameter[]): Refusal | undefined {
  const words = all.map(({ kind, value }) => (kind === "word" ? value : ""));
  const [first, second] = words;
  if (first === "create" && second === "subscription") return SUBSCRIPTION;
  if (first === "copy") return refusalOfCopy(all);
  if (first === "reset") return refusalOfSetting(all.slice(1), true);
  if (first === "set") return refusalOfSet(all.slice(1));
  if (first === "alter" && second === "system" && words[2] === "set")
    return refusalOfSetting(all.slice(3), false);
  return refusalOfSetConfig(all, parameters);
}

function refusalOfSet(rest: readonly Token[]): Refusal | undefined {
  const scoped = ["local", "session"].includes(rest[0]?.value ?? "");
  const bare = scoped && rest[1]?.value !== "authorization" ? rest.slice(1) : rest;
  return refusalOfSetting(bare, false);
}

/** `name = value`, `name TO value` or, after RESET, a bare name. */
function refusalOfSetting(rest: readonly Token[], reset: boolean): Refusal | undefined {
  const name = rest[0]?.value.toLowerCase() ?? "";
  if (name === "session" && rest[1]?.value === "authorization") return AUTHORIZATION;
  if (name === "session_authorization") return AUTHORIZATION;
  if (reset || !IDLE_LIMITS.has(name)) return undefined;
  return isZero(rest[2]?.value) || rest[2]?.value === "default" ? undefined : IDLE_LIMIT;
}

function refusalOfCopy(all: readonly Token[]): Refusal | undefined {
  let depth = 0;
  for (const [index, { kind, value }] of all.entries()) {
    if (kind === "sign") depth += value === "(" ? 1 : value === ")" ? -1 : 0;
    if (kind !== "word" || depth > 0) continue;
    const next = all[index + 1];
    if (value === "from" && next?.kind === "word" && next.value === "stdin") return STDIN;
    if ((value === "from" || value === "to") && next?.kind === "word" && next.value === "program")
      return PROGRAM;
  }
  return undefined;
}

function refusalOfSetConfig(
  all: readonly Token[],
  parameters: readonly Parameter[],
): Refusal | undefined {
  const valueAt = (index: number): string | undefined => {
    const token = all[index];
    if (token?.kind === "text") return token.value;
    return token?.kind === "parameter" ? String(parameters[Number(token.value) - 1]) : undefined;
  };
  for (const [index, { value }] of all.entries()) {
    if (value !== "set_config" || all[index + 1]?.value !== "(") continue;
    const name = valueAt(index + 2)?.toLowerCase() ?? "";
    if (name === "session_authorization") return AUTHORIZATION;
    if (!IDLE_LIMITS.has(name)) continue;
    // Past a cast of the name, as in `$1::text`.
    const comma = all.findIndex((token, at) => at > index && token.value === ",");
    if (!isZero(valueAt(comma + 1))) return IDLE_LIMIT;
  }
  return undefined;
}

function isZero(value: string | undefined): boolean {
  return value !== undefined && /^\s*0+(\.0*)?\s*(us|ms|s|min|h|d)?\s*$/.test(value);
}

/** The head of a statement, without the texts in it that could be secrets. */
function headOf(statement: readonly Token[]): string {
  const shown = statement.map(({ kind, value }) => {
    if (kind === "parameter") return `$${value}`;
    return kind === "text" && !IDLE_LIMITS.has(value) ? "'…'" : value;
  });
  return shown.join(" ").slice(0, 80);
}
