import type { CommentStmt, GrantStmt, Node } from "libpg-query";
import type { Lock, Undo } from "../../plan/step.ts";
import { ident, literal } from "../../sql/quote.ts";
import type { SqlStatement } from "../../sql/parse.ts";
import {
  columnOf,
  isMade,
  nameIn,
  nameOf,
  relationsIn,
  stringsOf,
  tableOf,
  type Scene,
} from "./scene.ts";
import { indexOfWords, partOf } from "./statement-text.ts";
import { backBy, lockOn, never, pathOf, taken, type Change, type Verdict } from "./verdict.ts";

const UNKNOWN = "what it was before is not known: write its way back into the rollback";

/** Rights, owners, comments and properties: changes of the catalog that nobody waits for. */
export function judgeRights(
  scene: Scene,
  statement: SqlStatement,
  change: Change,
): Verdict | undefined {
  const { node } = statement;
  if ("GrantStmt" in node)
    return taken(change, { undo: grantUndo(scene, statement, node.GrantStmt) });
  if ("CommentStmt" in node) {
    const locks = commentLocks(scene, node.CommentStmt);
    return taken(change, { locks, undo: commentUndo(scene, node.CommentStmt, locks) });
  }
  if ("GrantRoleStmt" in node || "AlterDefaultPrivilegesStmt" in node)
    return taken(change, { undo: never(UNKNOWN) });
  if ("AlterRoleStmt" in node || "AlterRoleSetStmt" in node || "AlterDatabaseSetStmt" in node)
    return taken(change, { undo: never(UNKNOWN) });
  if ("AlterOwnerStmt" in node || "AlterFunctionStmt" in node || "AlterExtensionStmt" in node)
    return taken(change, { undo: never(UNKNOWN) });
  if ("AlterSeqStmt" in node) {
    const sequence = nameOf(scene, node.AlterSeqStmt.sequence);
    return taken(change, {
      locks: isMade(scene, sequence) ? [] : [{ ...sequence, mode: "shareRowExclusive" }],
      undo: isMade(scene, sequence) ? { kind: "nothing" } : never(UNKNOWN),
    });
  }
  if ("AlterPolicyStmt" in node) {
    const { table: range, qual, with_check: check } = node.AlterPolicyStmt;
    const table = nameOf(scene, range);
    return taken(change, {
      locks: [
        lockOn(table, "accessExclusive"),
        ...relationsIn(scene, [qual, check]).map(
          (read): Lock => ({ ...read, mode: "accessShare" }),
        ),
      ],
      undo: isMade(scene, table) ? { kind: "nothing" } : never(UNKNOWN),
    });
  }
  if ("AlterPublicationStmt" in node || "AlterStatsStmt" in node || "AlterEventTrigStmt" in node)
    return taken(change, {
      locks: relationsIn(scene, node).map(
        (table): Lock => ({ ...table, mode: "shareUpdateExclusive" }),
      ),
      undo: never(UNKNOWN),
    });
  if ("NotifyStmt" in node) return taken(change, { undo: { kind: "nothing" } });
  return undefined;
}

/** A GRANT is taken back by a REVOKE, if facts say that nothing of it was there. */
function grantUndo(
  scene: Scene,
  { text, tokens }: SqlStatement,
  { is_grant: isGrant, objects, grant_option: withOption, grantees, targtype }: GrantStmt,
): Undo {
  const names = relationsIn(scene, objects);
  if (names.length > 0 && names.every((name) => isMade(scene, name))) return { kind: "nothing" };
  if (isGrant !== true || targtype !== "ACL_TARGET_OBJECT" || scene.facts === undefined)
    return never(UNKNOWN);
  const roles = (grantees ?? []).map((node) =>
    "RoleSpec" in node ? (node.RoleSpec.rolename ?? "public") : "",
  );
  const isThere = scene.facts.grants.some(
    (grant) =>
      roles.includes(grant.grantee) &&
      (names.length === 0 ||
        names.some(({ schema, name }) => grant.schema === schema && grant.name === name)),
  );
  const words = tokens();
  const to = indexOfWords(words, ["TO"]);
  const end = withOption === true ? indexOfWords(words, ["WITH", "GRANT"]) : words.length;
  if (isThere || to === -1) return never(UNKNOWN);
  const what = partOf(text, words.slice(1, to)).text;
  return backBy(`REVOKE ${what} FROM ${partOf(text, words.slice(to + 1, end)).text}`, []);
}

function commentLocks(scene: Scene, { objtype, object }: CommentStmt): readonly Lock[] {
  const words = wordsOf(object);
  switch (objtype) {
    case "OBJECT_TABLE":
    case "OBJECT_VIEW":
    case "OBJECT_MATVIEW":
    case "OBJECT_INDEX":
    case "OBJECT_SEQUENCE":
      return [{ ...nameIn(scene, words), mode: "shareUpdateExclusive" }];
    case "OBJECT_COLUMN":
      return [{ ...nameIn(scene, words.slice(0, -1)), mode: "shareUpdateExclusive" }];
    case "OBJECT_TABCONSTRAINT":
    case "OBJECT_TRIGGER":
    case "OBJECT_POLICY":
    case "OBJECT_RULE":
      return [{ ...nameIn(scene, words.slice(0, -1)), mode: "accessShare", indexes: false }];
    default:
      return [];
  }
}

function commentUndo(scene: Scene, { objtype, object }: CommentStmt, locks: readonly Lock[]): Undo {
  const words = wordsOf(object);
  const said = (comment: string | null) => (comment === null ? "NULL" : literal(comment));
  if (objtype === "OBJECT_TABLE") {
    const table = nameIn(scene, words);
    if (isMade(scene, table)) return { kind: "nothing" };
    const fact = tableOf(scene, table);
    if (fact !== undefined)
      return backBy(`COMMENT ON TABLE ${pathOf(table)} IS ${said(fact.comment)}`, locks);
  }
  if (objtype === "OBJECT_COLUMN") {
    const table = nameIn(scene, words.slice(0, -1));
    const column = words[words.length - 1] ?? "";
    if (isMade(scene, table)) return { kind: "nothing" };
    const fact = columnOf(scene, table, column);
    if (fact !== undefined)
      return backBy(
        `COMMENT ON COLUMN ${pathOf(table)}.${ident(column)} IS ${said(fact.comment)}`,
        locks,
      );
  }
  if (words.length > 1 && isMade(scene, nameIn(scene, words.slice(0, -1))))
    return { kind: "nothing" };
  return never(UNKNOWN);
}

function wordsOf(node: Node | undefined): readonly string[] {
  if (node === undefined) return [];
  if ("List" in node) return stringsOf(node.List.items);
  if ("String" in node) return [node.String.sval ?? ""];
  if ("TypeName" in node) return stringsOf(node.TypeName.names);
  return [];
}
