import type { DropStmt, ReindexStmt } from "libpg-query";
import { isUnderpinError } from "../../errors.ts";
import type { Lock, RelationName, Step } from "../../plan/step.ts";
import { dropIndex } from "../../recipes/drop-index.ts";
import { qualified } from "../../sql/quote.ts";
import { nameIn, nameOf, stringsOf, type Scene } from "./scene.ts";
import {
  gated,
  lockOn,
  never,
  online,
  pathOf,
  taken,
  type Change,
  type Hazard,
  type Verdict,
} from "./verdict.ts";

/** DROP INDEX: concurrently, with an undo that builds it again where facts say what it was. */
export function judgeDropIndex(scene: Scene, drop: DropStmt, change: Change): readonly Verdict[] {
  const names = (drop.objects ?? []).map((node) =>
    nameIn(scene, "List" in node ? stringsOf(node.List.items) : []),
  );
  return names.map((index, at) => {
    const one = { ...change, id: names.length === 1 ? change.id : `${change.id}-${at + 1}` };
    const path = pathOf(index);
    const fact = scene.facts?.indexes.find(
      (each) => each.schema === index.schema && each.name === index.name,
    );
    const table = fact && { schema: fact.schema, name: fact.table };
    const hazards: readonly Hazard[] =
      drop.concurrent === true
        ? []
        : [
            {
              rule: "drop-index",
              object: path,
              lock: { ...(table ?? index), mode: "accessExclusive" },
            },
          ];
    const sql = `DROP INDEX ${drop.missing_ok === true ? "IF EXISTS " : ""}${path}`;
    const asIs = {
      locks: [lockOn(table ?? index, "accessExclusive")],
      undo: never(`the index ${path} is not built again`),
    };
    if (scene.made.has(path) || scene.allowed.has("drop-index"))
      return taken({ ...one, sql }, { ...asIs, hazards: [] });
    if (drop.behavior === "DROP_CASCADE")
      return gated(
        { ...one, sql: `${sql} CASCADE` },
        { rule: "drop-cascade", object: path },
        `Is all that depends on ${path} to go with it? PostgreSQL does not say what that is before.`,
        asIs,
      );
    if (fact !== undefined && scene.facts !== undefined)
      try {
        return online(one, hazards, [
          dropIndex({ facts: scene.facts, schema: index.schema, index: index.name }),
        ]);
      } catch (error) {
        if (!isUnderpinError(error)) throw error;
        return gated(
          { ...one, sql },
          { rule: "drop-index", object: path, note: `${error.message}: ${error.hint}` },
          `${error.message}. ${error.hint} Is it to be dropped all the same, while nobody can use its table?`,
          asIs,
        );
      }
    return online(one, hazards, [dropUnknown(index)]);
  });
}

/** An index of which nobody has read what it is: it can be dropped, and not be built again. */
function dropUnknown({ schema, name }: RelationName): Step {
  const path = qualified(schema, name);
  return {
    kind: "sql",
    id: "drop-index",
    title: `Drop ${name} while reads and writes go on`,
    sql: `DROP INDEX CONCURRENTLY IF EXISTS ${path}`,
    locks: [{ schema, name, mode: "shareUpdateExclusive" }],
    transaction: "outside",
    // With IF EXISTS it may run twice.
    probe: { sql: "SELECT 'absent' AS state" },
    undo: never(`what ${path} was is not known: hand over facts, and it can be built again`),
  };
}

function indexLocks(scene: Scene, { schema, name }: RelationName): readonly Lock[] {
  return (scene.facts?.indexes ?? []).flatMap((index) =>
    index.schema === schema && index.table === name
      ? [{ schema, name: index.name, mode: "shareUpdateExclusive" } as const]
      : [],
  );
}

/** REINDEX: concurrently, outside a transaction. */
export function judgeReindex(scene: Scene, reindex: ReindexStmt, change: Change): Verdict {
  const target = nameOf(scene, reindex.relation);
  const object = reindex.relation === undefined ? (reindex.name ?? "") : pathOf(target);
  const isOne = reindex.kind === "REINDEX_OBJECT_INDEX" || reindex.kind === "REINDEX_OBJECT_TABLE";
  const isConcurrent = (reindex.params ?? []).some(
    (node) => "DefElem" in node && node.DefElem.defname === "concurrently",
  );
  const hazard: Hazard = {
    rule: "reindex",
    object,
    ...(isOne ? { lock: { ...target, mode: "accessExclusive" } } : {}),
  };
  if (!isOne)
    return gated(
      change,
      { ...hazard, note: "of a whole schema or database it is no step of a plan" },
      `${change.sql} rebuilds every index of ${object}. Is now the moment?`,
      { undo: { kind: "nothing" } },
    );
  const kind = reindex.kind === "REINDEX_OBJECT_INDEX" ? "INDEX" : "TABLE";
  return online(change, isConcurrent ? [] : [hazard], [
    {
      kind: "sql",
      id: "reindex",
      title: `Build ${target.name} anew while reads and writes go on`,
      sql: `REINDEX ${kind} CONCURRENTLY ${pathOf(target)}`,
      locks: [{ ...target, mode: "shareUpdateExclusive" }, ...indexLocks(scene, target)],
      creates: 2 * indexLocks(scene, target).length + 2,
      transaction: "outside",
      // Built twice it is as good; what a killed one leaves is named <index>_ccnew and INVALID.
      probe: { sql: "SELECT 'absent' AS state" },
      undo: { kind: "nothing" },
    },
  ]);
}
