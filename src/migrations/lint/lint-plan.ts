import type { RangeVar } from "libpg-query";
import type { Facts } from "../../catalog/read-facts.ts";
import { segment } from "../../plan/segment.ts";
import type { Plan, ServerRange, Step } from "../../plan/step.ts";
import { parseScript, type SqlStatement } from "../../sql/parse.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { functionName } from "../rewrite/judge-create.ts";
import { judge } from "../rewrite/judge.ts";
import { observe } from "../rewrite/observe.ts";
import { firstScene } from "../rewrite/read-script.ts";
import type { RuleName } from "../rewrite/rules.ts";
import { nameOf, stringsOf, type Scene } from "../rewrite/scene.ts";
import { pathOf, type Hazard } from "../rewrite/verdict.ts";
import { findingAt, type LintFinding } from "./finding.ts";
import { newerThan, type PostgresMajor } from "./versions.ts";

/** What a plan is looked at for. */
export interface LintPlanOptions {
  readonly facts: Facts | undefined;
  readonly schema: string;
  readonly postgres: PostgresMajor;
}

/** What breaks those who still use it: a person has been asked where a gate stands before. */
const ASKED_BY_A_GATE: ReadonlySet<RuleName> = new Set([
  "rename-column",
  "rename-table",
  "rename-object",
  "rename-enum-value",
  "drop-column",
  "drop-table",
  "drop-object",
  "drop-cascade",
  "drop-constraint",
  "truncate",
]);

/** What a plan says of itself and needs no rule: its undo is there, its settings are the engine's. */
const OF_SCRIPTS: ReadonlySet<RuleName> = new Set([
  "dynamic-sql",
  "drop-not-null",
  "not-understood",
]);

/** The findings about the statements of a plan, step by step; undo is not looked at. */
export async function lintPlan(
  plan: Plan,
  { facts, schema, postgres }: LintPlanOptions,
): Promise<readonly LintFinding[]> {
  const findings: LintFinding[] = [];
  let scene = firstScene({ facts, schema });
  let isAsked = false;
  const introduced = new Set<string>();
  for (const { steps } of segment(plan.steps)) {
    const restored = await restoredNames(scene, steps);
    for (const name of restored) introduced.add(name);
    for (const step of steps) {
      if (step.kind === "gate") isAsked = true;
      if (step.kind !== "sql" || isElsewhere(step.when?.server, postgres)) continue;
      const { statements } = await parseScript(step.sql);
      for (const statement of statements) {
        const hazards = [
          ...(statement.kind === "DoStmt" ? [] : judge(scene, statement, step.id)).flatMap(
            (verdict) =>
              verdict.hazards.filter(
                (hazard) => !isAnswered(hazard, { isAsked, restored, introduced }),
              ),
          ),
          ...newerThan(statement, scene, postgres),
        ].filter(({ rule }) => !OF_SCRIPTS.has(rule));
        const spot = { sql: step.sql, start: statement.start, step: step.id };
        findings.push(...hazards.map((hazard) => findingAt(spot, hazard)));
        scene = observe(scene, statement);
      }
    }
  }
  return findings;
}

interface Before {
  readonly isAsked: boolean;
  /** Names that come to be in the same transaction: nobody sees them gone. */
  readonly restored: ReadonlySet<string>;
  /** Names that the plan has made, or given to what it has put aside. */
  readonly introduced: ReadonlySet<string>;
}

function isAnswered({ rule, object }: Hazard, { isAsked, restored, introduced }: Before): boolean {
  if (isAsked && ASKED_BY_A_GATE.has(rule)) return true;
  if (rule.startsWith("rename-")) return restored.has(object) || introduced.has(object);
  return rule === "drop-object" && introduced.has(object);
}

function isElsewhere(range: ServerRange | undefined, postgres: PostgresMajor): boolean {
  if (range === undefined) return false;
  const bound = Number(range.replace(/^\D+/, ""));
  return range.startsWith(">=") ? postgres < bound : postgres >= bound;
}

/** The names that come to be in a transaction by RENAME or CREATE VIEW. */
async function restoredNames(scene: Scene, steps: readonly Step[]): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  for (const step of steps) {
    if (step.kind !== "sql") continue;
    const { statements } = await parseScript(step.sql);
    for (const statement of statements)
      for (const name of comingName(scene, statement)) names.add(name);
  }
  return names;
}

function comingName(scene: Scene, { node }: SqlStatement): readonly string[] {
  const fresh = { ...scene, facts: undefined };
  const part = (table: RangeVar | undefined, name = "") => [
    `${pathOf(nameOf(scene, table))}.${ident(name)}`,
  ];
  if ("ViewStmt" in node) return [pathOf(nameOf(fresh, node.ViewStmt.view))];
  if ("CreateTableAsStmt" in node) return [pathOf(nameOf(fresh, node.CreateTableAsStmt.into?.rel))];
  if ("CreatePolicyStmt" in node)
    return part(node.CreatePolicyStmt.table, node.CreatePolicyStmt.policy_name);
  if ("CreateTrigStmt" in node)
    return part(node.CreateTrigStmt.relation, node.CreateTrigStmt.trigname);
  if ("CreateFunctionStmt" in node)
    return [pathOf(functionName(scene, stringsOf(node.CreateFunctionStmt.funcname)))];
  if ("CreateEnumStmt" in node)
    return [pathOf(functionName(scene, stringsOf(node.CreateEnumStmt.typeName)))];
  if (!("RenameStmt" in node)) return [];
  const { renameType, relation, object, newname = "" } = node.RenameStmt;
  if (renameType === "OBJECT_COLUMN") return part(relation, newname);
  const schema =
    relation !== undefined
      ? nameOf(scene, relation).schema
      : object !== undefined && "List" in object
        ? functionName(scene, stringsOf(object.List.items)).schema
        : scene.schema;
  return [qualified(schema, newname)];
}
