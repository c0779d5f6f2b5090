import type { Node } from "libpg-query";
import type { SqlStatement } from "../../sql/parse.ts";
import { judgeAlterTable } from "./judge-alter-table.ts";
import { judgeCreate } from "./judge-create.ts";
import { judgeDrop } from "./judge-drop.ts";
import { judgeReindex } from "./judge-drop-index.ts";
import { judgeCreateIndex } from "./judge-index.ts";
import { judgeEnum, judgeRename, judgeSetSchema } from "./judge-rename.ts";
import { judgeRights } from "./judge-rights.ts";
import { judgeRows } from "./judge-rows.ts";
import { judgeSession } from "./judge-session.ts";
import { walkNodes, type Scene } from "./scene.ts";
import { gated, never, refused, taken, titleOf, type Change, type Verdict } from "./verdict.ts";

/** What is to be known of one statement: why it is not to be run as it is, and what takes its place. */
export function judge(scene: Scene, statement: SqlStatement, id: string): readonly Verdict[] {
  const { node, text } = statement;
  const change: Change = { id, sql: text };
  if (hasParameter(node)) return [refused({ rule: "parameter", object: titleOf(text) })];
  if ("AlterTableStmt" in node) return judgeAlterTable(scene, statement, node.AlterTableStmt, id);
  if ("DropStmt" in node) return judgeDrop(scene, node.DropStmt, change);
  return [judgeOne(scene, statement, change)];
}

function judgeOne(scene: Scene, statement: SqlStatement, change: Change): Verdict {
  const { node, text } = statement;
  if ("IndexStmt" in node) return judgeCreateIndex(scene, statement, node.IndexStmt, change);
  if ("ReindexStmt" in node) return judgeReindex(scene, node.ReindexStmt, change);
  if ("RenameStmt" in node) return judgeRename(scene, node.RenameStmt, change);
  if ("AlterObjectSchemaStmt" in node)
    return judgeSetSchema(scene, node.AlterObjectSchemaStmt, change);
  if ("AlterEnumStmt" in node) return judgeEnum(scene, node.AlterEnumStmt, change);
  if ("AlterDomainStmt" in node) return judgeDomain(scene, node, change);
  return (
    judgeSession(node, change) ??
    judgeCreate(scene, statement, change) ??
    judgeRows(scene, statement, change) ??
    judgeRights(scene, statement, change) ??
    refused({ rule: "not-understood", object: titleOf(text) })
  );
}

function judgeDomain(scene: Scene, node: Node, change: Change): Verdict {
  const about = { undo: never("what it was before is not known") };
  const alter = "AlterDomainStmt" in node ? node.AlterDomainStmt : {};
  const constraint =
    alter.def !== undefined && "Constraint" in alter.def ? alter.def.Constraint : undefined;
  // The parser's letters: C is ADD CONSTRAINT, O is SET NOT NULL, V is VALIDATE. All read the tables that use the domain.
  const reads =
    (alter.subtype === "C" && constraint?.skip_validation !== true) ||
    alter.subtype === "O" ||
    alter.subtype === "V";
  if (!reads || scene.allowed.has("domain-constraint")) return taken(change, about);
  return gated(
    change,
    { rule: "domain-constraint", object: titleOf(change.sql) },
    `Can the tables that use the domain go unwritten until each of their rows is read? ${change.sql}`,
    about,
  );
}

/** `$1` outside of the body of a function. */
function hasParameter(node: Node): boolean {
  if ("CreateFunctionStmt" in node || "DoStmt" in node || "PrepareStmt" in node) return false;
  let found = false;
  walkNodes(node, (key) => {
    if (key === "ParamRef") found = true;
  });
  return found;
}
