import type { AlterObjectSchemaStmt, AlterEnumStmt, RenameStmt } from "libpg-query";
import { isUnderpinError } from "../../errors.ts";
import type { Lock, RelationName } from "../../plan/step.ts";
import { addEnumValue, renameEnumValue } from "../../recipes/enum-value.ts";
import { renameColumn } from "../../recipes/rename-column.ts";
import { renameTable } from "../../recipes/rename-table.ts";
import { ident } from "../../sql/quote.ts";
import { functionName } from "./judge-create.ts";
import { factsAbout, isMade, nameOf, stringsOf, type Scene } from "./scene.ts";
import {
  backBy,
  gated,
  lockOn,
  never,
  online,
  pathOf,
  taken,
  type Change,
  type Hazard,
  type Taken,
  type Verdict,
} from "./verdict.ts";

/** RENAME: of a column or table by its recipe, of what nobody asks for by name as it is, else behind a question. */
export function judgeRename(scene: Scene, rename: RenameStmt, change: Change): Verdict {
  const { renameType, relationType, subname = "", newname = "" } = rename;
  const relation = nameOf(scene, rename.relation);
  const path = pathOf(relation);
  const locks: readonly Lock[] = [lockOn(relation, "accessExclusive")];
  const exclusively = (undo: string): Taken => ({ locks, undo: backBy(undo, locks) });
  const column = `ALTER TABLE ${path} RENAME COLUMN ${ident(newname)} TO ${ident(subname)}`;
  const renamed: RelationName = { schema: relation.schema, name: newname };
  const table = `ALTER TABLE ${pathOf(renamed)} RENAME TO ${ident(relation.name)}`;
  switch (renameType) {
    case "OBJECT_COLUMN": {
      const asIs = exclusively(column);
      const isNew = isMade(scene, relation) || scene.made.has(`${path}.${ident(subname)}`);
      if (isNew || scene.allowed.has("rename-column")) return taken(change, asIs);
      const hazard: Hazard = {
        rule: "rename-column",
        object: `${path}.${ident(subname)}`,
        lock: { ...relation, mode: "accessExclusive" },
      };
      const question = `Is every version of every application that knows ${subname} of ${path} gone?`;
      if (relationType !== "OBJECT_TABLE" || scene.facts === undefined)
        return gated(change, noteFacts(hazard, relationType === "OBJECT_TABLE"), question, asIs);
      return byRecipe(change, hazard, question, asIs, () =>
        renameColumn({
          facts: factsAbout(scene, [relation]),
          schema: relation.schema,
          table: relation.name,
          column: subname,
          to: newname,
        }),
      );
    }
    case "OBJECT_TABLE": {
      const asIs = { locks, undo: backBy(table, [lockOn(renamed, "accessExclusive")]) };
      if (isMade(scene, relation) || scene.allowed.has("rename-table")) return taken(change, asIs);
      const hazard: Hazard = {
        rule: "rename-table",
        object: path,
        lock: { ...relation, mode: "accessExclusive" },
      };
      const question = `Is every version of every application that knows ${path} gone?`;
      if (scene.facts === undefined) return gated(change, noteFacts(hazard, true), question, asIs);
      return byRecipe(change, hazard, question, asIs, () =>
        renameTable({
          facts: factsAbout(scene, [relation]),
          schema: relation.schema,
          table: relation.name,
          to: newname,
        }),
      );
    }
    case "OBJECT_INDEX":
      return taken(change, {
        locks: [{ ...relation, mode: "shareUpdateExclusive" }],
        undo: backBy(`ALTER INDEX ${pathOf(renamed)} RENAME TO ${ident(relation.name)}`, [
          { ...renamed, mode: "shareUpdateExclusive" },
        ]),
      });
    case "OBJECT_TABCONSTRAINT":
      return taken(
        change,
        exclusively(`ALTER TABLE ${path} RENAME CONSTRAINT ${ident(newname)} TO ${ident(subname)}`),
      );
    case "OBJECT_TRIGGER":
      return taken(
        change,
        exclusively(`ALTER TRIGGER ${ident(newname)} ON ${path} RENAME TO ${ident(subname)}`),
      );
    case "OBJECT_POLICY":
      return taken(
        change,
        exclusively(`ALTER POLICY ${ident(newname)} ON ${path} RENAME TO ${ident(subname)}`),
      );
    default: {
      const isRelation = rename.relation !== undefined;
      const asIs = {
        locks: isRelation ? locks : [],
        undo: never("write the RENAME back into the rollback"),
      };
      if ((isRelation && isMade(scene, relation)) || scene.allowed.has("rename-object"))
        return taken(change, asIs);
      const words =
        rename.object !== undefined && "List" in rename.object
          ? stringsOf(rename.object.List.items)
          : [];
      const object = isRelation
        ? path
        : words.length > 0
          ? pathOf(functionName(scene, words))
          : change.sql;
      return gated(
        change,
        { rule: "rename-object", object },
        `Does nobody use the old name any more? ${change.sql}`,
        asIs,
      );
    }
  }
}

function byRecipe(
  change: Change,
  hazard: Hazard,
  question: string,
  asIs: Taken,
  recipe: () => Parameters<typeof online>[2][number],
): Verdict {
  try {
    return online(change, [hazard], [recipe()]);
  } catch (error) {
    if (!isUnderpinError(error)) throw error;
    return gated(change, { ...hazard, note: `${error.message}: ${error.hint}` }, question, asIs);
  }
}

function noteFacts(hazard: Hazard, helps: boolean): Hazard {
  return helps ? { ...hazard, note: "with facts underpin serves both names for a time" } : hazard;
}

/** SET SCHEMA: the name is another from then on. */
export function judgeSetSchema(scene: Scene, move: AlterObjectSchemaStmt, change: Change): Verdict {
  const relation = nameOf(scene, move.relation);
  const isTable = move.relation !== undefined;
  const to = { schema: move.newschema ?? "", name: relation.name };
  const about: Taken = {
    locks: isTable ? [lockOn(relation, "accessExclusive")] : [],
    undo:
      move.objectType === "OBJECT_TABLE"
        ? backBy(`ALTER TABLE ${pathOf(to)} SET SCHEMA ${ident(relation.schema)}`, [
            lockOn(to, "accessExclusive"),
          ])
        : never("write the SET SCHEMA back into the rollback"),
  };
  if ((isTable && isMade(scene, relation)) || scene.allowed.has("rename-object"))
    return taken(change, about);
  return gated(
    change,
    { rule: "rename-object", object: isTable ? pathOf(relation) : change.sql },
    `Does nobody use it by its old schema any more? ${change.sql}`,
    about,
  );
}

/** ALTER TYPE … ADD VALUE and RENAME VALUE. */
export function judgeEnum(scene: Scene, alter: AlterEnumStmt, change: Change): Verdict {
  const { schema, name: type } = functionName(scene, stringsOf(alter.typeName));
  const { oldVal, newVal = "", newValNeighbor: neighbour, newValIsAfter: isAfter } = alter;
  if (oldVal === undefined)
    return online(
      change,
      [],
      [
        addEnumValue({
          schema,
          type,
          value: newVal,
          ...(neighbour === undefined
            ? {}
            : isAfter === true
              ? { after: neighbour }
              : { before: neighbour }),
        }),
      ],
    );
  const plan = renameEnumValue({ schema, type, from: oldVal, to: newVal });
  const [step] = plan.steps;
  const undo = step?.undo ?? never("");
  if (scene.allowed.has("rename-enum-value")) return taken(change, { undo });
  return gated(
    change,
    { rule: "rename-enum-value", object: pathOf({ schema, name: type }) },
    `Is every version of every application that writes or compares ${JSON.stringify(oldVal)} gone?`,
    { undo },
  );
}
