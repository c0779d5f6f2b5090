import type { ConstraintFact } from "../catalog/constraints.ts";
import type { Lock, RelationName, SqlStep, Step } from "../plan/step.ts";
import { renameColumns } from "../sql/column-references.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { shorten } from "../sql/shorten.ts";
import { isOf, isSame, refuse, type ColumnFacts } from "./own-column.ts";
import type { IndexCopy } from "./shadow-column.ts";

/** A column whose constraints another gets. */
export interface ConstraintsOf {
  readonly table: RelationName;
  readonly column: string;
  readonly twin: string;
  /** What a CHECK of this name says about the column in its new type; null leaves it out. */
  readonly checks: Readonly<Record<string, string | null>>;
}

/** The constraints of a column, made again for its twin. */
export interface CarriedConstraints {
  /** Before the swap: added NOT VALID and validated, or made of an index. */
  readonly steps: readonly Step[];
  /** Constraints and their likes, whose names change places. */
  readonly pairs: readonly { readonly name: string; readonly twin: string }[];
  readonly primaryKey: ConstraintFact | undefined;
}

/** What a constraint or index of the twin is called until the swap, and that of the old column after it. */
export function twinName(name: string): string {
  return shorten(`${name}_other`);
}

/** Constraints over the column, for its twin. What cannot be made beside the first is refused by name. */
export function carriedConstraints(
  facts: ColumnFacts,
  of: ConstraintsOf,
  indexes: readonly IndexCopy[],
): CarriedConstraints {
  const { table, column } = of;
  const path = qualified(table.schema, table.name);
  const incoming = facts.constraints.find(
    ({ references }) =>
      references !== null && isSame(references, table) && references.columns.includes(column),
  );
  if (incoming !== undefined)
    refuse(
      `the foreign key ${incoming.name} of ${qualified(incoming.schema, incoming.table)} points at ${column} of ${path}`,
      "Its two ends change their type together: drop it first, change both columns, and add it again with addForeignKey.",
    );
  const own = facts.constraints.filter(
    (each) => isOf(each, table) && each.columns.includes(column),
  );
  const carried = own.map((constraint) => carry(of, constraint, indexes));
  return {
    steps: carried.flatMap(({ steps }) => steps),
    pairs: carried.flatMap(({ pair }) => pair ?? []),
    primaryKey: own.find(({ kind }) => kind === "primaryKey"),
  };
}

interface Carried {
  readonly steps: readonly Step[];
  readonly pair?: CarriedConstraints["pairs"][number];
}

function carry(
  of: ConstraintsOf,
  constraint: ConstraintFact,
  indexes: readonly IndexCopy[],
): Carried {
  const { table, column, twin, checks } = of;
  const { name, kind } = constraint;
  const pair = { name, twin: twinName(name) };
  const names = new Map([[column, twin]]);
  const cannot = (why: string) =>
    refuse(
      `the constraint ${name} of ${qualified(table.schema, table.name)} ${why}`,
      "Drop it first, make the plan again, and add it anew afterwards.",
    );
  if (constraint.deferrable && kind !== "foreignKey")
    return cannot("is deferrable, and cannot be made beside the first");
  switch (kind) {
    case "check": {
      const said = checks[name];
      if (said === null) return { steps: [] };
      const printed = renameColumns(
        said === undefined ? constraint.definition : `CHECK (${said})`,
        names,
      );
      return { steps: validSteps(of, constraint, printed, []), pair };
    }
    case "foreignKey": {
      const [, rest] = /\) (REFERENCES [^]*)$/.exec(constraint.definition) ?? [];
      if (
        constraint.references === null ||
        rest === undefined ||
        constraint.references.setColumns.length > 0
      )
        return cannot("sets some of its columns only");
      const list = constraint.columns.map((each) => ident(names.get(each) ?? each)).join(", ");
      return {
        steps: validSteps(of, constraint, `FOREIGN KEY (${list}) ${rest}`, keyLocks(indexes)),
        pair,
      };
    }
    case "unique": {
      const copy = indexes.find(({ index }) => index.constraint === name);
      if (copy === undefined) return cannot("has no valid index");
      return {
        steps: [
          changeStep(table, `add-constraint:${name}`, `Make ${name} of its index`, {
            add: `ADD CONSTRAINT ${ident(pair.twin)} UNIQUE USING INDEX ${ident(copy.name)}`,
            drop: `DROP CONSTRAINT ${ident(pair.twin)}`,
            index: copy.name,
            made: pair.twin,
          }),
        ],
        pair,
      };
    }
    case "exclusion":
      return cannot(
        "excludes rows, and cannot be made beside the first without a scan under a lock",
      );
    // The key changes its index in the swap, NOT NULL has steps of its own, and a constraint trigger names no column.
    case "primaryKey":
    case "notNull":
    case "trigger":
      return { steps: [] };
  }
}

function validSteps(
  { table }: ConstraintsOf,
  { name, kind, validated, references }: ConstraintFact,
  definition: string,
  ofIndexes: readonly Lock[],
): readonly Step[] {
  const path = qualified(table.schema, table.name);
  const twin = ident(twinName(name));
  const isKey = kind === "foreignKey" && references !== null;
  const to: readonly Lock[] = isKey
    ? [{ schema: references.schema, name: references.name, mode: "shareRowExclusive" }]
    : [];
  const bare = definition.replace(/ NOT VALID$/, "");
  const add: SqlStep = {
    kind: "sql",
    id: `add-constraint:${name}`,
    title: `New rows must keep ${name} in the new type`,
    sql: `ALTER TABLE ${path} ADD CONSTRAINT ${twin} ${bare} NOT VALID`,
    locks: [{ ...table, mode: isKey ? "shareRowExclusive" : "accessExclusive" }, ...to],
    transaction: "commitAfter",
    undo: {
      kind: "statement",
      sql: `ALTER TABLE ${path} DROP CONSTRAINT ${twin}`,
      locks: [
        { ...table, mode: "accessExclusive" },
        ...to.map((lock): Lock => ({ ...lock, mode: "accessExclusive" })),
      ],
      transaction: "inside",
    },
  };
  const validate: SqlStep = {
    kind: "sql",
    id: `validate:${name}`,
    title: `Scan the old rows for ${name} while reads and writes go on`,
    sql: `ALTER TABLE ${path} VALIDATE CONSTRAINT ${twin}`,
    locks: [
      { ...table, mode: "shareUpdateExclusive" },
      ...(isKey
        ? ([
            { ...table, mode: "accessShare" },
            { schema: references.schema, name: references.name, mode: "rowShare" },
            ...ofIndexes,
          ] as const)
        : []),
    ],
    ...(isKey
      ? {
          rows: [
            { ...table, access: "read" },
            { schema: references.schema, name: references.name, access: "read" },
          ] as const,
        }
      : {}),
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
  return validated ? [add, validate] : [add];
}

function changeStep(
  table: RelationName,
  id: string,
  title: string,
  {
    add,
    drop,
    index,
    made,
  }: { readonly add: string; readonly drop: string; readonly index: string; readonly made: string },
): SqlStep {
  const alter = `ALTER TABLE ${qualified(table.schema, table.name)}`;
  const lock: Lock = { ...table, mode: "accessExclusive" };
  const ofIndex = (name: string): Lock => ({ schema: table.schema, name, mode: "accessExclusive" });
  return {
    kind: "sql",
    id,
    title,
    sql: `${alter} ${add}`,
    locks: [lock, { ...ofIndex(index), mode: "accessShare" }],
    transaction: "commitAfter",
    undo: {
      kind: "statement",
      sql: `${alter} ${drop}`,
      locks: [lock, ofIndex(made)],
      transaction: "inside",
    },
  };
}

/** The index that becomes the primary key, and has no name of its own from then on. */
export function keyLocks(indexes: readonly IndexCopy[]): readonly Lock[] {
  return indexes
    .filter(({ index }) => index.primary)
    .map(({ index, name }): Lock => ({ schema: index.schema, name, mode: "accessShare" }));
}

/** Comments of constraints and indexes, said of those that have the names by then. */
export function commentsOf(
  facts: ColumnFacts,
  table: RelationName,
  constraints: readonly string[],
  indexes: readonly string[],
): readonly string[] {
  const path = qualified(table.schema, table.name);
  return [
    ...facts.constraints.flatMap(({ schema, table: of, name, comment }) =>
      isOf({ schema, table: of }, table) && constraints.includes(name) && comment !== null
        ? [`COMMENT ON CONSTRAINT ${ident(name)} ON ${path} IS ${literal(comment)}`]
        : [],
    ),
    ...facts.indexes.flatMap((index) =>
      isOf(index, table) && indexes.includes(index.name) && index.comment !== null
        ? [`COMMENT ON INDEX ${qualified(table.schema, index.name)} IS ${literal(index.comment)}`]
        : [],
    ),
  ];
}
