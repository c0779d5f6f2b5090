import type { SqlStatement } from "../../sql/parse.ts";
import type { Judged } from "../rewrite/read-script.ts";
import { nameOf, isMade } from "../rewrite/scene.ts";
import { pathOf, type Hazard } from "../rewrite/verdict.ts";

/** What is wrong with a statement because of the BEGIN … COMMIT that it stands in. */
export function transactionHazards(
  judged: readonly Judged[],
): ReadonlyMap<SqlStatement, readonly Hazard[]> {
  const found = new Map<SqlStatement, readonly Hazard[]>();
  let open = false;
  let locked = new Set<string>();
  let added = new Set<string>();
  for (const each of judged) {
    const { node } = each.statement;
    if ("TransactionStmt" in node) {
      open = /^TRANS_STMT_(?:BEGIN|START)$/.test(node.TransactionStmt.kind ?? "");
      locked = new Set();
      added = new Set();
      continue;
    }
    if (!open) continue;
    const hazards = [
      ...(isConcurrent(each.statement)
        ? [
            {
              rule: "concurrently-in-transaction",
              object: each.statement.text.split("\n")[0] ?? "",
            } as const,
          ]
        : []),
      ...validated(each, added),
      ...heldTogether(each, locked),
    ];
    if (hazards.length > 0) found.set(each.statement, hazards);
  }
  return found;
}

function isConcurrent({ node }: SqlStatement): boolean {
  if ("IndexStmt" in node) return node.IndexStmt.concurrent === true;
  if ("DropStmt" in node) return node.DropStmt.concurrent === true;
  if ("ReindexStmt" in node)
    return (node.ReindexStmt.params ?? []).some(
      (option) => "DefElem" in option && option.DefElem.defname === "concurrently",
    );
  return (
    "AlterTableStmt" in node &&
    (node.AlterTableStmt.cmds ?? []).some((each) => {
      if (!("AlterTableCmd" in each)) return false;
      const { def } = each.AlterTableCmd;
      return def !== undefined && "PartitionCmd" in def && def.PartitionCmd.concurrent === true;
    })
  );
}

/** VALIDATE of what the same transaction has added. */
function validated({ statement: { node }, scene }: Judged, added: Set<string>): readonly Hazard[] {
  if (!("AlterTableStmt" in node)) return [];
  const table = nameOf(scene, node.AlterTableStmt.relation);
  return (node.AlterTableStmt.cmds ?? []).flatMap((each): readonly Hazard[] => {
    if (!("AlterTableCmd" in each)) return [];
    const { subtype, name = "", def } = each.AlterTableCmd;
    if (subtype === "AT_AddConstraint" && def !== undefined && "Constraint" in def)
      added.add(`${pathOf(table)}.${def.Constraint.conname ?? ""}`);
    const isOfNow = subtype === "AT_ValidateConstraint" && added.has(`${pathOf(table)}.${name}`);
    return isOfNow && !isMade(scene, table)
      ? [
          {
            rule: "validate-with-add",
            object: pathOf(table),
            lock: { ...table, mode: "accessExclusive" },
          },
        ]
      : [];
  });
}

/** A second table of which others are kept, while the first is still held. */
function heldTogether({ scene, verdicts }: Judged, locked: Set<string>): readonly Hazard[] {
  const strong = verdicts
    .flatMap(({ parts }) => parts)
    .flatMap((part) => ("steps" in part ? part.steps : [part]))
    .flatMap((step) => ("locks" in step ? step.locks : []))
    .filter((lock) => lock.mode === "accessExclusive" && !isMade(scene, lock));
  const others = [...locked];
  const second = strong.find((lock) => others.length > 0 && !locked.has(pathOf(lock)));
  for (const lock of strong) locked.add(pathOf(lock));
  return second === undefined
    ? []
    : [
        {
          rule: "locks-held-together",
          object: pathOf(second),
          lock: second,
          note: `it holds ${others.join(", ")}`,
        },
      ];
}
