// Long because: every statement that reads or writes rows, with what it asks of the table.
import type { DeleteStmt, MergeStmt, Node, RefreshMatViewStmt, UpdateStmt } from "libpg-query";
import { isUnderpinError } from "../../errors.ts";
import type { Lock, RelationName, RowAccess } from "../../plan/step.ts";
import { backfill } from "../../recipes/backfill.ts";
import type { SqlStatement } from "../../sql/parse.ts";
import { isNull } from "./one-value.ts";
import { readLocks, readsOf } from "./judge-create.ts";
import { factsAbout, isCalm, isMade, nameOf, relationsIn, walkNodes, type Scene } from "./scene.ts";
import { indexOfWords, partOf } from "./statement-text.ts";
import {
  gated,
  lockOn,
  never,
  online,
  pathOf,
  refused,
  taken,
  type Change,
  type Hazard,
  type Verdict,
} from "./verdict.ts";

/** What reads or writes rows; undefined where it is none of these. */
export function judgeRows(
  scene: Scene,
  statement: SqlStatement,
  change: Change,
): Verdict | undefined {
  const { node } = statement;
  if ("InsertStmt" in node) {
    const { relation, selectStmt } = node.InsertStmt;
    const table = nameOf(scene, relation);
    const isValues =
      selectStmt === undefined ||
      ("SelectStmt" in selectStmt && (selectStmt.SelectStmt.valuesLists ?? []).length > 0);
    return write(scene, node, table, "insert", change, isValues ? undefined : "unbatched-write");
  }
  if ("UpdateStmt" in node) return judgeUpdate(scene, statement, node.UpdateStmt, change);
  if ("DeleteStmt" in node)
    return write(scene, node, target(scene, node.DeleteStmt), "delete", change, "unbatched-write");
  if ("MergeStmt" in node)
    return write(scene, node, target(scene, node.MergeStmt), "update", change, "unbatched-write");
  if ("SelectStmt" in node) return judgeSelect(scene, node, change);
  if ("TruncateStmt" in node) {
    const tables = relationsIn(scene, node.TruncateStmt.relations);
    const about = {
      locks: tables.map((table) => lockOn(table, "accessExclusive")),
      undo: never("the rows are gone"),
    };
    if (tables.every((table) => isMade(scene, table)) || scene.allowed.has("truncate"))
      return taken(change, about);
    const paths = tables.map(pathOf).join(", ");
    return gated(
      change,
      {
        rule: "truncate",
        object: paths,
        ...(tables[0] && { lock: { ...tables[0], mode: "accessExclusive" } }),
      },
      `Are all rows of ${paths} to go, for good?`,
      about,
    );
  }
  if ("RefreshMatViewStmt" in node) return judgeRefresh(scene, node.RefreshMatViewStmt, change);
  if ("LockStmt" in node) {
    const tables = relationsIn(scene, node.LockStmt.relations);
    return refused({ rule: "lock-table", object: tables.map(pathOf).join(", ") });
  }
  if ("CopyStmt" in node) {
    const { relation, is_from: isFrom, filename } = node.CopyStmt;
    return refused({
      rule: "copy-data",
      object: relation === undefined ? change.sql : pathOf(nameOf(scene, relation)),
      ...(isFrom === true && filename === undefined
        ? { note: "the lines after it are data, and no SQL" }
        : {}),
    });
  }
  if ("ClusterStmt" in node) {
    const relation = node.ClusterStmt.relation;
    return rewriting(scene, relation === undefined ? undefined : nameOf(scene, relation), change);
  }
  if ("VacuumStmt" in node) {
    const { options, rels, is_vacuumcmd: isVacuum } = node.VacuumStmt;
    const isFull = (options ?? []).some(
      (option) => "DefElem" in option && option.DefElem.defname === "full",
    );
    const tables = relationsIn(scene, rels);
    if (isFull) return rewriting(scene, tables[0], change);
    const locks = tables.map((table): Lock => lockOn(table, "shareUpdateExclusive"));
    if (isVacuum !== true) return taken(change, { locks, undo: { kind: "nothing" } });
    return online(
      change,
      [],
      [
        {
          kind: "sql",
          id: "vacuum",
          title: change.sql,
          sql: change.sql,
          locks,
          transaction: "outside",
          probe: { sql: "SELECT 'absent' AS state" },
          undo: { kind: "nothing" },
        },
      ],
    );
  }
  return undefined;
}

function target(scene: Scene, { relation }: DeleteStmt | MergeStmt | UpdateStmt): RelationName {
  return nameOf(scene, relation);
}

/** One statement over rows; behind a question where nobody knows how many they are. */
function write(
  scene: Scene,
  node: Node,
  table: RelationName,
  access: RowAccess["access"],
  change: Change,
  rule: "unbatched-write" | undefined,
): Verdict {
  const others = relationsIn(scene, node).filter((each) => pathOf(each) !== pathOf(table));
  const about = {
    locks: [lockOn(table, "rowExclusive"), ...readLocks(others)],
    rows: [{ ...table, access }, ...readsOf(others)],
    undo: isMade(scene, table)
      ? ({ kind: "nothing" } as const)
      : never("which rows it writes, and what they held before, is not known"),
  };
  if (rule === undefined || isCalm(scene, table, rule)) return taken(change, about);
  return gated(
    change,
    { rule, object: pathOf(table), lock: { ...table, mode: "rowExclusive" } },
    `Are the rows of ${pathOf(table)} that this writes few? One statement over many holds all of their locks until it ends; backfill does it in batches.`,
    about,
  );
}

/** UPDATE t SET c = … WHERE c IS NULL is a backfill: a row that is done no longer meets it. */
function judgeUpdate(
  scene: Scene,
  statement: SqlStatement,
  update: UpdateStmt,
  change: Change,
): Verdict {
  const table = target(scene, update);
  const plain = write(scene, statement.node, table, "update", change, "unbatched-write");
  const column = filledColumn(update);
  const isOneTable =
    (update.fromClause ?? []).length === 0 &&
    update.withClause === undefined &&
    update.returningClause === undefined &&
    update.relation?.alias === undefined &&
    relationsIn(scene, [update.targetList, update.whereClause]).length === 0;
  if (
    scene.facts === undefined ||
    plain.hazards.length === 0 ||
    column === undefined ||
    !isOneTable
  )
    return plain;
  const tokens = statement.tokens();
  const set = indexOfWords(tokens, ["SET"]);
  const where = indexOfWords(tokens, ["WHERE"]);
  try {
    const plan = backfill({
      facts: factsAbout(scene, [table]),
      schema: table.schema,
      table: table.name,
      name: `fill-${column}`,
      set: partOf(statement.text, tokens.slice(set + 1, where)).text,
      where: partOf(statement.text, tokens.slice(where + 1)).text,
    });
    return online(change, plain.hazards, [plan]);
  } catch (error) {
    if (!isUnderpinError(error)) throw error;
    return plain;
  }
}

/** The column that the rows lack, and that this fills. */
function filledColumn({ targetList, whereClause }: UpdateStmt): string | undefined {
  const set = new Set(
    (targetList ?? []).flatMap((node) =>
      "ResTarget" in node && !isNull(node.ResTarget.val) ? [node.ResTarget.name ?? ""] : [],
    ),
  );
  const conditions =
    whereClause !== undefined &&
    "BoolExpr" in whereClause &&
    whereClause.BoolExpr.boolop === "AND_EXPR"
      ? (whereClause.BoolExpr.args ?? [])
      : [whereClause];
  for (const condition of conditions) {
    if (condition === undefined || !("NullTest" in condition)) continue;
    const { arg, nulltesttype } = condition.NullTest;
    if (nulltesttype !== "IS_NULL" || arg === undefined || !("ColumnRef" in arg)) continue;
    const fields = arg.ColumnRef.fields ?? [];
    const last = fields[fields.length - 1];
    const name = last !== undefined && "String" in last ? last.String.sval : undefined;
    if (fields.length === 1 && name !== undefined && set.has(name)) return name;
  }
  return undefined;
}

function judgeSelect(scene: Scene, node: Node, change: Change): Verdict {
  const functions: string[] = [];
  let setting = "";
  walkNodes(node, (key, value) => {
    if (key !== "FuncCall") return;
    const words = (value as { funcname?: readonly Node[] }).funcname ?? [];
    const last = words[words.length - 1];
    const name = last !== undefined && "String" in last ? (last.String.sval ?? "") : "";
    functions.push(name);
    if (name === "set_config") setting = change.sql;
  });
  if (setting !== "") return refused({ rule: "session-setting", object: setting });
  const reads = relationsIn(scene, node);
  const isInto = "SelectStmt" in node && node.SelectStmt.intoClause !== undefined;
  return taken(change, {
    locks: readLocks(reads),
    rows: readsOf(reads),
    undo:
      functions.length === 0 && !isInto
        ? { kind: "nothing" }
        : never(`what ${functions[0] ?? "INTO"} does is not known`),
  });
}

function judgeRefresh(scene: Scene, refresh: RefreshMatViewStmt, change: Change): Verdict {
  const view = nameOf(scene, refresh.relation);
  const path = pathOf(view);
  const undo = { kind: "nothing" } as const;
  const isConcurrent = refresh.concurrent === true;
  if (isMade(scene, view) || refresh.skipData === true || scene.allowed.has("refresh-view"))
    return taken(change, {
      locks: [lockOn(view, isConcurrent ? "exclusive" : "accessExclusive")],
      undo,
    });
  const hasKey =
    scene.facts?.indexes.some(
      (index) =>
        index.schema === view.schema &&
        index.table === view.name &&
        index.unique &&
        index.predicate === null &&
        index.keys.every((key) => key.column !== null),
    ) === true;
  const hazard: Hazard = {
    rule: "refresh-view",
    object: path,
    lock: { ...view, mode: "accessExclusive" },
    ...(hasKey || isConcurrent
      ? {}
      : {
          note: "CONCURRENTLY needs a unique index over plain columns; with facts underpin looks for it",
        }),
  };
  if (!hasKey && !isConcurrent)
    return gated(change, hazard, `Can nobody read ${path} until it is filled anew?`, {
      locks: [lockOn(view, "accessExclusive")],
      undo,
    });
  return online(change, isConcurrent ? [] : [hazard], [
    {
      kind: "sql",
      id: "refresh",
      title: `Fill ${view.name} anew while it is read`,
      sql: `REFRESH MATERIALIZED VIEW CONCURRENTLY ${path}`,
      locks: [{ ...view, mode: "exclusive" }],
      transaction: "outside",
      probe: { sql: "SELECT 'absent' AS state" },
      undo,
    },
  ]);
}

function rewriting(scene: Scene, table: RelationName | undefined, change: Change): Verdict {
  const object = table === undefined ? "the whole database" : pathOf(table);
  if (table === undefined)
    return refused({
      rule: "rewrite-table",
      object,
      note: "of every table it is no step of a plan",
    });
  const about = { locks: [lockOn(table, "accessExclusive")], undo: { kind: "nothing" } as const };
  const isFull = /^vacuum\b/i.test(change.sql);
  const hazard: Hazard = {
    rule: "rewrite-table",
    object,
    lock: { ...table, mode: "accessExclusive" },
  };
  if (isFull)
    return refused({ ...hazard, note: "VACUUM FULL runs in no transaction: run it by hand" });
  if (isCalm(scene, table, "rewrite-table")) return taken(change, about);
  return gated(change, hazard, `Can ${object} be out of use while it is written anew?`, about);
}
