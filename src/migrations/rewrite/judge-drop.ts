import type { DropStmt, Node } from "libpg-query";
import type { Lock, RelationName, Undo } from "../../plan/step.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { judgeDropIndex } from "./judge-drop-index.ts";
import type { RuleName } from "./rules.ts";
import { isMade, nameIn, stringsOf, type Scene } from "./scene.ts";
import {
  backBy,
  gated,
  lockOn,
  never,
  pathOf,
  refused,
  taken,
  type Change,
  type Verdict,
} from "./verdict.ts";

/** DROP of anything: what applications or people use goes behind a question. */
export function judgeDrop(scene: Scene, drop: DropStmt, change: Change): readonly Verdict[] {
  if (drop.removeType === "OBJECT_INDEX") return judgeDropIndex(scene, drop, change);
  const objects = (drop.objects ?? []).map((node) => wordsOf(node));
  if (objects.some((words) => words.length === 0))
    return [refused({ rule: "not-understood", object: change.sql })];
  if (drop.behavior === "DROP_CASCADE" && !scene.allowed.has("drop-cascade")) {
    const isOwn = objects.every((words) => isMade(scene, nameIn(scene, words)));
    if (!isOwn)
      return [
        gated(
          change,
          { rule: "drop-cascade", object: change.sql },
          `Is all that depends on it to go with it? ${change.sql}`,
          { locks: locksOf(scene, drop, objects), undo: never("what went with it is not known") },
        ),
      ];
  }
  switch (drop.removeType) {
    case "OBJECT_TABLE":
    case "OBJECT_FOREIGN_TABLE":
      return [judgeDropTable(scene, drop, objects, change)];
    case "OBJECT_TRIGGER":
    case "OBJECT_POLICY":
    case "OBJECT_RULE":
      return [judgeDropOwned(scene, drop, objects, change)];
    default:
      return [judgeDropOther(scene, drop, objects, change)];
  }
}

function judgeDropTable(
  scene: Scene,
  drop: DropStmt,
  objects: readonly (readonly string[])[],
  change: Change,
): Verdict {
  const tables = objects.map((words) => nameIn(scene, words));
  const about = {
    locks: locksOf(scene, drop, objects),
    undo: never("the rows of the table are gone"),
  };
  if (tables.every((table) => isMade(scene, table)))
    return taken(change, { ...about, undo: { kind: "nothing" } });
  if (scene.allowed.has("drop-table")) return taken(change, about);
  const paths = tables.map(pathOf).join(", ");
  return gated(
    change,
    {
      rule: "drop-table",
      object: paths,
      lock: { ...(tables[0] ?? NOTHING), mode: "accessExclusive" },
    },
    `Is every version of every application that uses ${paths} gone, and is there a backup? Its rows are destroyed.`,
    about,
  );
}

/** A trigger, policy or rule: facts know what it was. */
function judgeDropOwned(
  scene: Scene,
  drop: DropStmt,
  objects: readonly (readonly string[])[],
  change: Change,
): Verdict {
  const [words = []] = objects;
  const name = words[words.length - 1] ?? "";
  const table = nameIn(scene, words.slice(0, -1));
  const locks = [lockOn(table, "accessExclusive")];
  const object = `${pathOf(table)}.${ident(name)}`;
  const isOf = (each: { readonly schema: string; readonly table: string; readonly name: string }) =>
    each.schema === table.schema && each.table === table.name && each.name === name;
  const trigger =
    drop.removeType === "OBJECT_TRIGGER" ? scene.facts?.triggers.find(isOf) : undefined;
  const undo: Undo = isMade(scene, table)
    ? { kind: "nothing" }
    : trigger !== undefined
      ? backBy(trigger.definition, [lockOn(table, "shareRowExclusive")])
      : never("what it said is not known: write its CREATE into the rollback");
  if (isMade(scene, table) || scene.allowed.has("drop-object"))
    return taken(change, { locks, undo });
  return taken(change, {
    locks,
    undo,
    hazards: [{ rule: "drop-object", object, lock: { ...table, mode: "accessExclusive" } }],
  });
}

function judgeDropOther(
  scene: Scene,
  drop: DropStmt,
  objects: readonly (readonly string[])[],
  change: Change,
): Verdict {
  const names = objects.map((words) => words.map(ident).join(".")).join(", ");
  const isOwn = objects.every((words) => isMade(scene, nameIn(scene, words)));
  const about = {
    locks: locksOf(scene, drop, objects),
    undo: isOwn
      ? ({ kind: "nothing" } as const)
      : never("what it said is not known: write its CREATE into the rollback"),
  };
  const rule: RuleName = "drop-object";
  if (isOwn || scene.allowed.has(rule)) return taken(change, about);
  return gated(
    change,
    { rule, object: names },
    `Does nobody use ${names} any more: no running version of the application, no report, no function?`,
    about,
  );
}

const RELATIONS = new Set([
  "OBJECT_TABLE",
  "OBJECT_FOREIGN_TABLE",
  "OBJECT_VIEW",
  "OBJECT_MATVIEW",
  "OBJECT_SEQUENCE",
]);

/** The tables themselves, and what their foreign keys point at. */
function locksOf(
  scene: Scene,
  drop: DropStmt,
  objects: readonly (readonly string[])[],
): readonly Lock[] {
  if (!RELATIONS.has(drop.removeType ?? "")) return [];
  const names = objects.map((words) => nameIn(scene, words));
  const paths = new Set(names.map(pathOf));
  const referenced = (scene.facts?.constraints ?? []).flatMap(({ schema, table, references }) =>
    references !== null &&
    paths.has(qualified(schema, table)) &&
    !paths.has(qualified(references.schema, references.name))
      ? [lockOn({ schema: references.schema, name: references.name }, "accessExclusive")]
      : [],
  );
  return [...names.map((name) => lockOn(name, "accessExclusive")), ...referenced];
}

const NOTHING: RelationName = { schema: "", name: "" };

function wordsOf(node: Node): readonly string[] {
  if ("List" in node) return stringsOf(node.List.items);
  if ("String" in node) return [node.String.sval ?? ""];
  if ("ObjectWithArgs" in node) return stringsOf(node.ObjectWithArgs.objname);
  if ("TypeName" in node) return stringsOf(node.TypeName.names);
  return [];
}
