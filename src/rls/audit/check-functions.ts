import { functionPath } from "../../catalog/path.ts";
import type { FunctionFact } from "../../catalog/functions.ts";
import { ident, qualified } from "../../sql/quote.ts";
import type { Audited } from "./audited.ts";
import { spellings } from "./expression.ts";
import { finding, type Findings } from "./finding.ts";
import { isPinnedWithin, pinnedWithin } from "./pinned-within.ts";

/** Whether functions keep their rights to themselves and tell the planner the truth. */
export function checkFunctions(database: Audited): Findings {
  const own = database.facts.functions.filter(
    ({ extension, kind }) => extension === null && kind !== "aggregate" && kind !== "window",
  );
  const context = contextFunctions(own);
  return own.flatMap((each) => [
    ...checkPath(database, each),
    ...checkCallers(database, each),
    ...(each.volatility === "immutable" && context.has(each)
      ? [
          finding(
            "immutable_context",
            pathOf(each),
            "The planner computes an IMMUTABLE function once and keeps its result in the plan: the next tenant on the connection gets the rows of the last one.",
            `ALTER ROUTINE ${called(each)} STABLE`,
          ),
        ]
      : []),
  ]);
}

function checkPath(database: Audited, each: FunctionFact): Findings {
  const isPinned =
    each.config.some((setting) => setting.startsWith("search_path=")) || isPinnedWithin(each);
  const isParsed = database.more.parsed.some(
    ({ schema, name, signature }) =>
      schema === each.schema && name === each.name && signature === each.signature,
  );
  const readsPath = each.language === "sql" || each.language === "plpgsql";
  if (isPinned || isParsed || !(readsPath || each.securityDefiner)) return [];
  return [
    each.securityDefiner
      ? finding(
          "definer_search_path",
          pathOf(each),
          `It runs as ${each.owner} and finds its tables and operators in the path of whoever calls it.`,
          `ALTER ROUTINE ${called(each)} SET search_path TO ''`,
        )
      : finding(
          "search_path_mutable",
          pathOf(each),
          "It finds its tables and operators in the path of whoever calls it.",
          pinnedWithin(each) ?? `ALTER ROUTINE ${called(each)} SET search_path TO ''`,
        ),
  ];
}

/** A trigger function cannot be called, whoever may. */
function checkCallers(database: Audited, each: FunctionFact): Findings {
  if (!each.securityDefiner || each.returns === "trigger" || each.returns === "event_trigger")
    return [];
  const callers = database.facts.grants.filter(
    ({ on, schema, name, detail, grantee, privileges }) =>
      on === "function" &&
      schema === each.schema &&
      name === each.name &&
      (detail ?? "") === each.signature &&
      (grantee === "public" || grantee === "anon") &&
      privileges.includes("EXECUTE"),
  );
  return callers.map(({ grantee }) =>
    finding(
      "definer_public",
      pathOf(each),
      `${grantee === "public" ? "Every role" : grantee} may call it, and it runs as ${each.owner}.`,
      `REVOKE EXECUTE ON ROUTINE ${called(each)} FROM ${grantee === "public" ? "PUBLIC" : ident(grantee)}`,
    ),
  );
}

const READS_SESSION =
  /\b(?:current_setting|current_user|session_user|current_role|auth\.(?:uid|jwt|role))\b/i;

/** Functions that read settings or the user, or call one that does. */
function contextFunctions(functions: readonly FunctionFact[]): ReadonlySet<FunctionFact> {
  const found = new Set(
    functions.filter(({ definition }) => READS_SESSION.test(bodyOf(definition))),
  );
  for (;;) {
    const more = functions.filter(
      (each) =>
        !found.has(each) &&
        [...found].some(({ schema, name }) =>
          spellings(schema, name).some((text) => bodyOf(each.definition).includes(`${text}(`)),
        ),
    );
    if (more.length === 0) return found;
    for (const each of more) found.add(each);
  }
}

function bodyOf(definition: string | null): string {
  return (
    /\bAS (\$\w*\$[^]*)|(\bRETURN [^]*)|(\bBEGIN ATOMIC[^]*)/.exec(definition ?? "")?.[0] ?? ""
  );
}

function pathOf({ schema, name, signature }: FunctionFact): string {
  return functionPath(schema, name, signature);
}

function called({ schema, name, signature }: FunctionFact): string {
  return `${qualified(schema, name)}(${signature})`;
}
