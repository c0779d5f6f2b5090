import type { ReferentialAction } from "../../catalog/constraints.ts";
import type { Lock, RelationName, RowAccess, Step } from "../../plan/step.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { isPartitioned, isSame, refuse } from "../own-column.ts";
import { placeOf, listOf, namesOf, phaseOfColumns, type Conversion } from "./conversion.ts";
import { foreignKeysOf, type ForeignKey } from "./graph.ts";
import { carriedName, twinIndexes } from "./twin-indexes.ts";

/** A foreign key over converted columns, and its like over UUIDs. */
export interface TwinForeignKey {
  readonly key: ForeignKey;
  readonly from: RelationName;
  readonly to: RelationName;
  readonly name: string;
  readonly phase: number;
  /** What follows ADD CONSTRAINT, over UUIDs. */
  readonly definition: string;
}

/** The foreign keys over converted columns, in the order in which tables are locked. */
export function twinForeignKeys(conversion: Conversion): readonly TwinForeignKey[] {
  const { facts } = conversion;
  return foreignKeysOf(facts).flatMap((key): readonly TwinForeignKey[] => {
    const from = { schema: key.schema, name: key.table };
    const to = { schema: key.references.schema, name: key.references.name };
    const phase = phaseOfColumns(conversion, from, key.columns);
    if (phase === undefined) return [];
    refuseUncarried(conversion, key, from, to);
    const [own, theirs] = [namesOf(conversion, from), namesOf(conversion, to)];
    return [
      {
        key,
        from,
        to,
        name: carriedName(key.name),
        phase,
        definition: definitionOf(key, to, own, theirs),
      },
    ];
  });
}

const ACTIONS = {
  noAction: "",
  restrict: "RESTRICT",
  cascade: "CASCADE",
  setNull: "SET NULL",
  setDefault: "SET DEFAULT",
} as const satisfies Record<ReferentialAction, string>;

function definitionOf(
  { columns, references, deferrable, initiallyDeferred }: ForeignKey,
  to: RelationName,
  own: ReadonlyMap<string, string>,
  theirs: ReadonlyMap<string, string>,
): string {
  const { onDelete, onUpdate, setColumns, match } = references;
  const renamed = (list: readonly string[], names: ReadonlyMap<string, string>) =>
    listOf(list.map((column) => names.get(column) ?? column));
  return [
    `FOREIGN KEY (${renamed(columns, own)}) REFERENCES ${qualified(to.schema, to.name)} (${renamed(references.columns, theirs)})`,
    ...(match === "full" ? ["MATCH FULL"] : []),
    ...(onUpdate === "noAction" ? [] : [`ON UPDATE ${ACTIONS[onUpdate]}`]),
    ...(onDelete === "noAction" ? [] : [`ON DELETE ${ACTIONS[onDelete]}`]),
    ...(setColumns.length === 0 ? [] : [`(${renamed(setColumns, own)})`]),
    ...(deferrable ? [`DEFERRABLE${initiallyDeferred ? " INITIALLY DEFERRED" : ""}`] : []),
  ].join(" ");
}

function refuseUncarried(
  { facts }: Conversion,
  key: ForeignKey,
  from: RelationName,
  to: RelationName,
): void {
  const of = `the foreign key ${key.name} of ${qualified(from.schema, from.name)}`;
  const { onDelete, onUpdate } = key.references;
  if (onDelete === "setDefault" || onUpdate === "setDefault")
    refuse(
      `${of} sets its columns to their default: that of the integer is none of a UUID`,
      "Let it SET NULL, or set the row that is meant in the application, and make the plan again.",
    );
  if (!key.enforced)
    refuse(`${of} is not enforced`, "Drop it, or let it be enforced, and make the plan again.");
  if (isPartitioned(facts, from))
    refuse(
      `${of} is one of a partitioned table: it cannot be added NOT VALID up to PostgreSQL 17`,
      "Drop it and give each partition one of its own (ALTER TABLE <partition> ADD FOREIGN KEY … NOT VALID, then VALIDATE), and make the plan again.",
    );
  if (isPartitioned(facts, to))
    refuse(
      `${of} refers to the partitioned table ${qualified(to.schema, to.name)}`,
      "The keys of a partitioned table are not converted: leave it out.",
    );
}

/** The foreign keys of a phase: new rows keep them first, then those that were there are looked at. */
export function twinForeignKeySteps(conversion: Conversion, phase: number): readonly Step[] {
  return twinForeignKeys(conversion)
    .filter((each) => each.phase === phase)
    .flatMap((twin): readonly Step[] => {
      const { key, from, name } = twin;
      const both = (mode: Lock["mode"]) => lockBoth(twin, mode);
      const add: Step = {
        kind: "sql",
        id: `refer:${placeOf(conversion, from)}.${key.name}`,
        title: `New rows of ${from.name} must keep ${name}`,
        // Who writes a row of one and then of the other would meet ADD FOREIGN KEY half-way, and might be the victim.
        sql: [lockTablesSql([from, twin.to], "SHARE ROW EXCLUSIVE"), ...referSql(twin)].join(";\n"),
        locks: both("shareRowExclusive"),
        transaction: "commitAfter",
        undo: {
          kind: "statement",
          sql: `${lockTablesSql([from, twin.to])};\nALTER TABLE ${qualified(from.schema, from.name)} DROP CONSTRAINT IF EXISTS ${ident(name)}`,
          locks: both("accessExclusive"),
          transaction: "inside",
        },
      };
      return key.validated ? [add, validateStep(conversion, twin)] : [add];
    });
}

function validateStep(conversion: Conversion, twin: TwinForeignKey): Step {
  const { key, from, name } = twin;
  return {
    kind: "sql",
    id: `validate:${placeOf(conversion, from)}.${key.name}`,
    title: `Scan the old rows of ${from.name} for ${name} while reads and writes go on`,
    ...validation(conversion, twin, name, []),
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

/** VALIDATE, with what it locks and reads. */
function validation(
  conversion: Conversion,
  { from, to }: TwinForeignKey,
  name: string,
  besides: readonly RelationName[],
) {
  const reads: readonly RowAccess[] = [
    { ...from, access: "read" },
    { ...to, access: "read" },
  ];
  const locks: readonly Lock[] = [
    { ...from, mode: "shareUpdateExclusive" },
    { ...from, mode: "accessShare" },
    { ...to, mode: "rowShare" },
    ...besides.map((index): Lock => ({ ...index, mode: "accessShare" })),
  ];
  return {
    sql: `ALTER TABLE ${qualified(from.schema, from.name)} VALIDATE CONSTRAINT ${ident(name)}`,
    locks,
    rows: reads,
  };
}

/** Does nothing on the way there. On the way back the foreign key has come again NOT VALID, and is proved. */
export function provedOnTheWayBack(
  conversion: Conversion,
  twin: TwinForeignKey,
  over: "integers" | "uuids",
): Step {
  const { from, to } = twin;
  // The query that looks for rows without a target locks every index of both tables, also those that are dropped after it.
  const goneAtTheEnd = [
    ...twinIndexes(conversion),
    ...conversion.surrogates.map(({ table, index }) => ({ table, name: index })),
  ]
    .filter(({ table }) => isSame(table, from) || isSame(table, to))
    .map(({ table, name: index }) => ({ schema: table.schema, name: index }));
  const name = over === "integers" ? twin.key.name : twin.name;
  return {
    kind: "check",
    id: `proved:${placeOf(conversion, from)}.${name}`,
    title: `${name} of ${from.name} holds`,
    sql: `SELECT k.conname, 'is not there, or not valid' AS reason FROM (VALUES (${literal(name)})) AS w (name)
LEFT JOIN pg_catalog.pg_constraint k ON k.conname = w.name AND k.contype = 'f'
  AND k.conrelid = ${literal(qualified(from.schema, from.name))}::regclass
WHERE k.convalidated IS NOT TRUE`,
    expect: "noRows",
    transaction: "commitAfter",
    undo: {
      kind: "statement",
      ...validation(conversion, twin, name, goneAtTheEnd),
      transaction: "inside",
    },
  };
}

/** ADD CONSTRAINT of the foreign key over UUIDs, but for a look at the rows. */
export function referSql(twin: TwinForeignKey): readonly string[] {
  const { from, name, definition } = twin;
  return [
    `ALTER TABLE ${qualified(from.schema, from.name)} ADD CONSTRAINT ${ident(name)} ${definition} NOT VALID`,
    ...commentOf(twin, name),
  ];
}

/** ADD CONSTRAINT of the integers' foreign key as it was, but for a look at the rows. */
export function addAgainSql({ key, from }: TwinForeignKey): readonly string[] {
  const path = qualified(from.schema, from.name);
  const definition = key.definition.replace(/ NOT VALID$/, "");
  return [
    `ALTER TABLE ${path} ADD CONSTRAINT ${ident(key.name)} ${definition} NOT VALID`,
    ...commentOf({ key, from }, key.name),
  ];
}

function commentOf(
  { key, from }: Pick<TwinForeignKey, "key" | "from">,
  name: string,
): readonly string[] {
  return key.comment === null
    ? []
    : [
        `COMMENT ON CONSTRAINT ${ident(name)} ON ${qualified(from.schema, from.name)} IS ${literal(key.comment)}`,
      ];
}

function lockBoth({ from, to }: TwinForeignKey, mode: Lock["mode"]): readonly Lock[] {
  return isSame(from, to)
    ? [{ ...from, mode }]
    : [from, to].map((each): Lock => ({ ...each, mode }));
}

/**
 * Locks tables in one order, and gives up before the server's `deadlock_timeout` (1 s by default) would let an application be the victim: then
 * it is tried again.
 */
export function lockTablesSql(
  tables: readonly RelationName[],
  mode: "ACCESS EXCLUSIVE" | "SHARE ROW EXCLUSIVE" = "ACCESS EXCLUSIVE",
): string {
  const paths = [...new Set(tables.map(({ schema, name }) => qualified(schema, name)))].toSorted();
  return `SELECT pg_catalog.set_config('lock_timeout', '400ms', true);\nLOCK TABLE ONLY ${paths.join(", ONLY ")} IN ${mode} MODE`;
}
