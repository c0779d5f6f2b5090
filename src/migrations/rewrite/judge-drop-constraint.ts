import type { AlterTableCmd } from "libpg-query";
import type { ConstraintFact } from "../../catalog/constraints.ts";
import type { Lock, RelationName, Step, Undo } from "../../plan/step.ts";
import { buildStepOf } from "../../recipes/build-index.ts";
import { ident } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import { columnOf, constraintOf, isMade, isTiny, type Scene } from "./scene.ts";
import {
  backBy,
  gated,
  lockOn,
  never,
  pathOf,
  taken,
  type Change,
  type Hazard,
  type Verdict,
} from "./verdict.ts";

/** DROP CONSTRAINT, with an undo that brings it back without a scan or a build that others wait for. */
export function judgeDropConstraint(
  scene: Scene,
  table: RelationName,
  cmd: AlterTableCmd,
  change: Change,
): readonly Verdict[] {
  const name = cmd.name ?? "";
  const path = pathOf(table);
  const fact = constraintOf(scene, table, name);
  const locks: readonly Lock[] = [
    lockOn(table, "accessExclusive"),
    ...(fact?.references == null
      ? []
      : [
          lockOn({ schema: fact.references.schema, name: fact.references.name }, "accessExclusive"),
        ]),
    ...(fact?.index == null || fact.references !== null
      ? []
      : [{ schema: fact.index.schema, name: fact.index.name, mode: "accessExclusive" } as const]),
  ];
  const unknown = never(`what ${name} said is not known: hand over facts`);
  if (isMade(scene, table)) return [taken(change, { locks, undo: { kind: "nothing" } })];
  const object = `${path}.${ident(name)}`;
  if (cmd.behavior === "DROP_CASCADE")
    return [
      gated(
        change,
        { rule: "drop-cascade", object },
        `Is all that depends on ${name} to go with it: the foreign keys that rely on it?`,
        { locks, undo: never("what went with it is not known") },
      ),
    ];
  const isOwn = scene.added.has(object);
  const hazards: readonly Hazard[] =
    isOwn || scene.allowed.has("drop-constraint")
      ? []
      : [{ rule: "drop-constraint", object, lock: { ...table, mode: "accessExclusive" } }];
  const isPartOfTree =
    fact !== undefined && (fact.parent !== null || partitionedHere(scene, table));
  if (fact === undefined || isPartOfTree) return [taken(change, { locks, undo: unknown, hazards })];
  return [backInSteps(scene, table, fact, change, locks, hazards)];
}

function partitionedHere(scene: Scene, { schema, name }: RelationName): boolean {
  return (scene.facts?.partitions ?? []).some(
    (each) => each.schema === schema && each.name === name && each.key !== null,
  );
}

/**
 * The way back is walked last step first: what the second step's undo prepares, that of the first completes.
 */
function backInSteps(
  scene: Scene,
  table: RelationName,
  fact: ConstraintFact,
  change: Change,
  locks: readonly Lock[],
  hazards: readonly Hazard[],
): Verdict {
  const alter = `ALTER TABLE ${pathOf(table)}`;
  const name = ident(fact.name);
  const isUnproven = / NOT VALID$/.test(fact.definition);
  const add = `${alter} ADD CONSTRAINT ${name} ${fact.definition}`;
  if (fact.kind === "check" || fact.kind === "foreignKey") {
    if (isUnproven || isTiny(scene, table))
      return taken(change, { locks, hazards, undo: backBy(add, locks) });
    const way: Undo = backBy(`${alter} VALIDATE CONSTRAINT ${name}`, [
      lockOn(table, "shareUpdateExclusive"),
      ...locks.slice(1).map((lock): Lock => ({ ...lock, mode: "rowShare" })),
    ]);
    return {
      hazards,
      parts: [
        prepared(change, `${fact.name} is there`, way),
        ...taken(change, { locks, undo: backBy(`${add} NOT VALID`, locks) }).parts,
      ],
    };
  }
  const isUnique = fact.kind === "unique" || fact.kind === "primaryKey";
  const index = scene.facts?.indexes.find(
    (each) =>
      each.schema === table.schema && each.constraint === fact.name && each.table === table.name,
  );
  if (!isUnique || index === undefined || fact.deferrable)
    return taken(change, { locks, hazards, undo: backBy(add, locks) });
  const kind = fact.kind === "unique" ? "UNIQUE" : "PRIMARY KEY";
  const head = /^CREATE UNIQUE INDEX (?:"(?:[^"]|"")*"|\S+) ON /.exec(index.definition);
  if (head === null) return taken(change, { locks, hazards, undo: backBy(add, locks) });
  const create = `CREATE UNIQUE INDEX CONCURRENTLY ${name} ON ${index.definition.slice(head[0].length)}`;
  const {
    sql,
    locks: building,
    transaction,
    probe,
  } = asOutside(buildStepOf(create, table, fact.name, "build"));
  return {
    hazards,
    parts: [
      ...taken(change, {
        locks,
        undo: backBy(`${alter} ADD CONSTRAINT ${name} ${kind} USING INDEX ${name}`, [
          lockOn(table, "accessExclusive"),
          { schema: index.schema, name: index.name, mode: "accessShare" },
        ]),
      }).parts,
      prepared(change, `${fact.name} is gone`, {
        kind: "statement",
        sql,
        locks: building,
        transaction,
        probe,
      }),
    ],
  };
}

function asOutside(step: ReturnType<typeof buildStepOf>) {
  if (step.transaction !== "outside") throw new Error("an index is built outside a transaction");
  return step;
}

/** A step that does nothing on the way there, and holds a part of the way back. */
function prepared(change: Change, title: string, undo: Undo): Step {
  return {
    kind: "check",
    id: `${change.id}-way-back`,
    title,
    sql: "SELECT 1 WHERE false",
    expect: "noRows",
    transaction: "commitAfter",
    undo,
  };
}

/** DROP NOT NULL: instant; its way back is that of `setNotNull`. */
export function judgeDropNotNull(
  scene: Scene,
  table: RelationName,
  column: string,
  change: Change,
): Verdict {
  const path = pathOf(table);
  const alter = `ALTER TABLE ${path}`;
  const locks = [lockOn(table, "accessExclusive")];
  if (isMade(scene, table)) return taken(change, { locks, undo: { kind: "nothing" } });
  const hazards: readonly Hazard[] = scene.allowed.has("drop-not-null")
    ? []
    : [{ rule: "drop-not-null", object: `${path}.${ident(column)}` }];
  const fact = columnOf(scene, table, column);
  if (fact?.notNull === false) return taken(change, { locks, hazards, undo: { kind: "nothing" } });
  const set = `${alter} ALTER COLUMN ${ident(column)} SET NOT NULL`;
  if (isTiny(scene, table)) return taken(change, { locks, hazards, undo: backBy(set, locks) });
  const check = ident(shorten(`${table.name}_${column}_filled`));
  const valid = prepared(
    { ...change, id: `${change.id}-validate` },
    `${column} may be NULL now`,
    backBy(`${alter} VALIDATE CONSTRAINT ${check}`, [lockOn(table, "shareUpdateExclusive")]),
  );
  const added = prepared(
    { ...change, id: `${change.id}-add` },
    "The way back is walked last step first",
    backBy(
      `${alter} ADD CONSTRAINT ${check} CHECK (${ident(column)} IS NOT NULL) NOT VALID`,
      locks,
    ),
  );
  return {
    hazards,
    parts: [
      ...taken(change, {
        locks,
        undo: backBy(`${set};\n${alter} DROP CONSTRAINT ${check}`, locks),
      }).parts,
      valid,
      added,
    ],
  };
}
