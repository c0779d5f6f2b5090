import type { AlterTableCmd, Node } from "libpg-query";
import type { RelationName } from "../../plan/step.ts";
import type { SqlStatement } from "../../sql/parse.ts";
import { ident } from "../../sql/quote.ts";
import { withNewColumn } from "./judge-alter-table.ts";
import { functionName, madeBy } from "./judge-create.ts";
import { constraintOf, nameOf, stringsOf, type Scene } from "./scene.ts";
import { pathOf, policyMark } from "./verdict.ts";

/** What is known after a statement: what it has made, added and proven. */
export function observe(scene: Scene, { node }: SqlStatement): Scene {
  const made = [...madeBy(scene, node).map(pathOf), ...madeNames(scene, node)];
  const grown: Scene =
    made.length === 0 ? scene : { ...scene, made: new Set([...scene.made, ...made]) };
  if (!("AlterTableStmt" in node)) return grown;
  const table = nameOf(scene, node.AlterTableStmt.relation);
  return (node.AlterTableStmt.cmds ?? []).reduce(
    (known, each) =>
      "AlterTableCmd" in each ? afterCommand(known, table, each.AlterTableCmd) : known,
    grown,
  );
}

/** Functions, types and triggers that the script makes: it may drop them again. */
function madeNames(scene: Scene, node: Node): readonly string[] {
  if ("CreateFunctionStmt" in node)
    return [pathOf(functionName(scene, stringsOf(node.CreateFunctionStmt.funcname)))];
  if ("CreateEnumStmt" in node)
    return [pathOf(functionName(scene, stringsOf(node.CreateEnumStmt.typeName)))];
  if ("CreateTrigStmt" in node) {
    const { relation, trigname = "" } = node.CreateTrigStmt;
    return [`${pathOf(nameOf(scene, relation))}.${ident(trigname)}`];
  }
  if ("CreatePolicyStmt" in node) {
    const { table, policy_name: name = "" } = node.CreatePolicyStmt;
    const path = pathOf(nameOf(scene, table));
    return [`${path}.${ident(name)}`, policyMark(path)];
  }
  return [];
}

function afterCommand(scene: Scene, table: RelationName, cmd: AlterTableCmd): Scene {
  const known = withNewColumn(scene, { table, cmd });
  const path = pathOf(table);
  const { def } = cmd;
  if (cmd.subtype === "AT_AddConstraint" && def !== undefined && "Constraint" in def) {
    const {
      contype,
      conname = "",
      raw_expr: expression,
      keys,
      skip_validation: later,
    } = def.Constraint;
    const column = contype === "CONSTR_NOTNULL" ? stringsOf(keys)[0] : filledColumn(expression);
    const key = `${path}.${ident(conname)}`;
    const constraints = new Map([...known.added, [key, column]]);
    const proven =
      column !== undefined && later !== true
        ? new Set([...known.proven, `${path}.${ident(column)}`])
        : known.proven;
    return { ...known, added: constraints, proven };
  }
  if (cmd.subtype === "AT_AddColumn" && def !== undefined && "ColumnDef" in def)
    return {
      ...known,
      made: new Set([...known.made, `${path}.${ident(def.ColumnDef.colname ?? "")}`]),
    };
  if (cmd.subtype === "AT_ValidateConstraint") {
    const name = cmd.name ?? "";
    const fact = constraintOf(scene, table, name);
    const column =
      known.added.get(`${path}.${ident(name)}`) ??
      (fact?.kind === "check" && /^\([^()]+ IS NOT NULL\)$/.test(fact.expression ?? "")
        ? fact.columns[0]
        : undefined);
    return column === undefined
      ? known
      : { ...known, proven: new Set([...known.proven, `${path}.${ident(column)}`]) };
  }
  return known;
}

/** The column of `c IS NOT NULL`. */
function filledColumn(expression: Node | undefined): string | undefined {
  if (expression === undefined || !("NullTest" in expression)) return undefined;
  const { arg, nulltesttype } = expression.NullTest;
  if (nulltesttype !== "IS_NOT_NULL" || arg === undefined || !("ColumnRef" in arg))
    return undefined;
  const fields = arg.ColumnRef.fields ?? [];
  const [only] = fields;
  return fields.length === 1 && only !== undefined && "String" in only
    ? only.String.sval
    : undefined;
}
