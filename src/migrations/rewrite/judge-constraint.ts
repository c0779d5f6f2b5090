// Long because: the constraints of a table share how they are named, kept and added in two steps.
import type { Constraint } from "libpg-query";
import { isUnderpinError } from "../../errors.ts";
import type { Plan, RelationName, SqlStep, Step } from "../../plan/step.ts";
import { addCheck } from "../../recipes/add-check.ts";
import { addForeignKey, type ForeignKeyAction } from "../../recipes/add-foreign-key.ts";
import { addPrimaryKey, addUnique } from "../../recipes/add-unique.ts";
import { buildStepOf } from "../../recipes/build-index.ts";
import { setNotNull } from "../../recipes/set-not-null.ts";
import type { SqlToken } from "../../sql/parse.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import type { RuleName } from "./rules.ts";
import {
  columnOf,
  factsAbout,
  isCalm,
  nameOf,
  partitionOf,
  stringsOf,
  type Scene,
} from "./scene.ts";
import { indexOfWords, insideBrackets } from "./statement-text.ts";
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

/** One constraint that is to be added to a table that is there. */
export interface Added {
  readonly table: RelationName;
  readonly constraint: Constraint;
  /** The constraint as it stands in the statement, with its name if it has one. */
  readonly text: string;
  /** The statement that its words stand in. */
  readonly whole: string;
  readonly tokens: readonly SqlToken[];
  /** Of a constraint that stands with its column. */
  readonly column?: string;
}

const RULE_OF: Readonly<Partial<Record<NonNullable<Constraint["contype"]>, RuleName>>> = {
  CONSTR_CHECK: "add-check",
  CONSTR_FOREIGN: "add-foreign-key",
  CONSTR_UNIQUE: "add-unique",
  CONSTR_PRIMARY: "add-primary-key",
  CONSTR_EXCLUSION: "add-exclusion",
  CONSTR_NOTNULL: "set-not-null",
};

/** ADD CONSTRAINT on a table that is there: without a scan or a build that others wait for. */
export function judgeConstraint(scene: Scene, added: Added, change: Change): Verdict {
  const { table, constraint } = added;
  const rule = constraint.contype === undefined ? undefined : RULE_OF[constraint.contype];
  const name = constraint.conname ?? defaultName(added);
  const asIs = takenAs(scene, added, name);
  const unnamed: readonly Hazard[] =
    constraint.conname === undefined &&
    added.column === undefined &&
    constraint.contype !== "CONSTR_NOTNULL"
      ? [{ rule: "unnamed-constraint", object: pathOf(table), note: `it is called ${name} here` }]
      : [];
  if (rule === undefined)
    return gated(
      change,
      { rule: "not-understood", object: pathOf(table) },
      `Is it known what ${change.sql} locks?`,
      asIs,
    );
  const isInstant = constraint.skip_validation === true || constraint.indexname !== undefined;
  if (
    isInstant ||
    isCalm(scene, table, rule) ||
    constraint.is_enforced === false ||
    isAdopted(scene, table)
  )
    return taken(change, { ...asIs, hazards: unnamed });
  const hazard: Hazard = {
    rule,
    object: pathOf(table),
    lock: { ...table, mode: rule === "add-foreign-key" ? "shareRowExclusive" : "accessExclusive" },
  };
  try {
    const parts = onlineParts(scene, added, name);
    if (parts !== undefined) return online(change, [hazard, ...unnamed], parts);
  } catch (error) {
    if (!isUnderpinError(error)) throw error;
    return gated(
      change,
      { ...hazard, note: `${error.message}: ${error.hint}` },
      `${error.message}. ${error.hint} Is ${name} to be added all the same, while nobody can use ${pathOf(table)}?`,
      { ...asIs, hazards: unnamed },
    );
  }
  const needsFacts =
    rule === "add-primary-key" || rule === "add-unique"
      ? "; with facts underpin makes it online"
      : "";
  return gated(
    change,
    { ...hazard, note: `nothing was generated here${needsFacts}` },
    `Can ${pathOf(table)} be out of use until ${name} is checked or built?`,
    { ...asIs, hazards: unnamed },
  );
}

/** Where the script has given one to each partition, that of the whole takes them as they are. */
function isAdopted(scene: Scene, table: RelationName): boolean {
  if (partitionOf(scene, table)?.key == null) return false;
  const keys = [...scene.added.keys()];
  return (scene.facts?.partitions ?? [])
    .filter(({ parent }) => parent?.schema === table.schema && parent.name === table.name)
    .every(
      (part) => isAdopted(scene, part) || keys.some((key) => key.startsWith(`${pathOf(part)}.`)),
    );
}

function onlineParts(
  scene: Scene,
  { table, constraint, text, whole, tokens, column }: Added,
  name: string,
): readonly (Plan | Step)[] | undefined {
  const target = { schema: table.schema, table: table.name };
  const [first, ...rest] = column === undefined ? keysOf(constraint) : [column];
  const isPartitioned = partitionOf(scene, table)?.key != null;
  switch (constraint.contype) {
    case "CONSTR_CHECK": {
      if (constraint.is_no_inherit === true) return undefined;
      const expression = insideBrackets(whole, tokens, checkAt(tokens))?.text ?? "";
      return [addCheck({ ...target, name, expression })];
    }
    case "CONSTR_NOTNULL": {
      if (first === undefined) return undefined;
      return [setNotNull({ ...target, column: first })];
    }
    case "CONSTR_FOREIGN": {
      if (first === undefined) return undefined;
      const referenced = nameOf(scene, constraint.pktable);
      const theirs = stringsOf(constraint.pk_attrs);
      const [their, ...others] = theirs.length > 0 ? theirs : primaryKeyOf(scene, referenced);
      const unsaid =
        constraint.fk_matchtype === "f" ||
        (constraint.deferrable === true && constraint.initdeferred !== true) ||
        constraint.fk_with_period === true;
      if (their === undefined || unsaid)
        return isPartitioned ? undefined : byText(table, referenced, name, text);
      const onDelete = actionOf(constraint.fk_del_action);
      const onUpdate = actionOf(constraint.fk_upd_action);
      const set = stringsOf(constraint.fk_del_set_cols);
      const plan = addForeignKey({
        ...target,
        facts: factsAbout(scene, [table, referenced]),
        name,
        columns: [first, ...rest],
        references: {
          schema: referenced.schema,
          table: referenced.name,
          columns: [their, ...others],
        },
        ...(onDelete === "no action" ? {} : { onDelete }),
        ...(onUpdate === "no action" ? {} : { onUpdate }),
        ...(set.length === 0 ? {} : { onDeleteColumns: set }),
        ...(constraint.initdeferred === true ? { deferred: true } : {}),
      });
      return scene.facts === undefined ? [isPlain(table, "is-plain-table"), plan] : [plan];
    }
    case "CONSTR_UNIQUE":
    case "CONSTR_PRIMARY": {
      if (first === undefined || constraint.without_overlaps === true) return undefined;
      const isPrimary = constraint.contype === "CONSTR_PRIMARY";
      const isPlainKey =
        constraint.nulls_not_distinct !== true &&
        constraint.deferrable !== true &&
        (constraint.including ?? []).length === 0 &&
        (constraint.options ?? []).length === 0 &&
        constraint.indexspace === undefined;
      // Which of its columns allow NULL is for facts to say.
      if (scene.facts === undefined && isPrimary) return undefined;
      if (isPlainKey && scene.facts !== undefined)
        return [
          (isPrimary ? addPrimaryKey : addUnique)({
            ...target,
            facts: factsAbout(scene, [table]),
            name,
            columns: [first, ...rest],
          }),
        ];
      if (isPartitioned || isPrimary) return undefined;
      return byIndex(scene, table, constraint, name, [first, ...rest]);
    }
    default:
      return undefined;
  }
}

/** Any foreign key of a plain table: as it stands, but NOT VALID. */
function byText(
  table: RelationName,
  referenced: RelationName,
  name: string,
  text: string,
): readonly Step[] {
  const alter = `ALTER TABLE ${pathOf(table)}`;
  const both = (mode: "shareRowExclusive" | "accessExclusive") => [
    lockOn(table, mode),
    lockOn(referenced, mode),
  ];
  const definition = text.replace(/^constraint\s+(?:"(?:[^"]|"")*"|\S+)\s+/i, "");
  return [
    {
      kind: "sql",
      id: "add",
      title: `New rows of ${table.name} must keep ${name}`,
      sql: `${alter} ADD CONSTRAINT ${ident(name)} ${definition} NOT VALID`,
      locks: both("shareRowExclusive"),
      transaction: "commitAfter",
      undo: backBy(`${alter} DROP CONSTRAINT ${ident(name)}`, both("accessExclusive")),
    },
    {
      kind: "sql",
      id: "validate",
      title: `Scan the old rows of ${table.name} while reads and writes go on`,
      sql: `${alter} VALIDATE CONSTRAINT ${ident(name)}`,
      locks: [
        lockOn(table, "shareUpdateExclusive"),
        lockOn(table, "accessShare"),
        lockOn(referenced, "rowShare"),
      ],
      rows: [
        { ...table, access: "read" },
        { ...referenced, access: "read" },
      ],
      transaction: "commitAfter",
      undo: { kind: "nothing" },
    },
  ];
}

/** A unique constraint with more to it than columns: its index concurrently, then the constraint. */
function byIndex(
  scene: Scene,
  table: RelationName,
  constraint: Constraint,
  name: string,
  columns: readonly string[],
): readonly Step[] {
  const including = stringsOf(constraint.including);
  const create = [
    `CREATE UNIQUE INDEX CONCURRENTLY ${ident(name)} ON ${pathOf(table)} (${columns.map(ident).join(", ")})`,
    ...(including.length === 0 ? [] : [`INCLUDE (${including.map(ident).join(", ")})`]),
    ...(constraint.nulls_not_distinct === true ? ["NULLS NOT DISTINCT"] : []),
  ].join(" ");
  const index = { schema: table.schema, name };
  const when = constraint.deferrable === true ? " DEFERRABLE" : "";
  const deferred = constraint.initdeferred === true ? " INITIALLY DEFERRED" : "";
  const alter = `ALTER TABLE ${pathOf(table)}`;
  const add: SqlStep = {
    kind: "sql",
    id: "add",
    title: `${table.name} keeps ${columns.join(", ")} unique from now on`,
    sql: `${alter} ADD CONSTRAINT ${ident(name)} UNIQUE USING INDEX ${ident(name)}${when}${deferred}`,
    locks: [
      { ...table, mode: "accessExclusive" },
      { ...index, mode: "accessShare" },
    ],
    transaction: "commitAfter",
    undo: backBy(`${alter} DROP CONSTRAINT ${ident(name)}`, [
      { ...table, mode: "accessExclusive" },
      { ...index, mode: "accessExclusive" },
    ]),
  };
  return [
    ...(scene.facts === undefined ? [isPlain(table, "is-plain-table")] : []),
    buildStepOf(create, table, name, "create-index"),
    add,
  ];
}

/** Without facts nobody knows whether the table is partitioned, which needs other steps. */
function isPlain({ schema, name }: RelationName, id: string): Step {
  return {
    kind: "check",
    id,
    title: `${name} is not partitioned`,
    sql: `SELECT n.nspname, c.relname, 'is partitioned: hand over facts' AS reason
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ${literal(qualified(schema, name))}::regclass AND c.relkind = 'p'`,
    expect: "noRows",
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}

function takenAs(scene: Scene, { table, constraint }: Added, name: string): Taken {
  const isKey = constraint.contype === "CONSTR_FOREIGN";
  const referenced = nameOf(scene, constraint.pktable);
  const alter = `ALTER TABLE ${pathOf(table)}`;
  const locks = isKey
    ? [lockOn(table, "shareRowExclusive"), lockOn(referenced, "shareRowExclusive")]
    : [lockOn(table, "accessExclusive")];
  const back = isKey
    ? [lockOn(table, "accessExclusive"), lockOn(referenced, "accessExclusive")]
    : [lockOn(table, "accessExclusive")];
  return {
    locks,
    ...(constraint.contype === "CONSTR_UNIQUE" || constraint.contype === "CONSTR_PRIMARY"
      ? { creates: 1 }
      : {}),
    ...(isKey && constraint.skip_validation !== true
      ? {
          rows: [
            { ...table, access: "read" },
            { ...referenced, access: "read" },
          ],
        }
      : {}),
    undo:
      constraint.contype === "CONSTR_NOTNULL" && constraint.conname === undefined
        ? never("the name that PostgreSQL gives to it is not known")
        : backBy(`${alter} DROP CONSTRAINT ${ident(name)}`, back),
  };
}

/** As PostgreSQL names it, if the name is free. */
function defaultName({ table, constraint, column }: Added): string {
  const keys = column === undefined ? keysOf(constraint) : [column];
  const end = {
    CONSTR_CHECK: [...keys, "check"],
    CONSTR_FOREIGN: [...keys, "fkey"],
    CONSTR_UNIQUE: [...keys, "key"],
    CONSTR_PRIMARY: ["pkey"],
    CONSTR_EXCLUSION: [...keys, "excl"],
    CONSTR_NOTNULL: [...keys, "not_null"],
  }[String(constraint.contype)] ?? ["constraint"];
  return shorten([table.name, ...end].join("_"));
}

function keysOf({ keys, fk_attrs: own }: Constraint): readonly string[] {
  return stringsOf((own ?? []).length > 0 ? own : keys);
}

function primaryKeyOf(scene: Scene, { schema, name }: RelationName): readonly string[] {
  return (
    scene.facts?.constraints.find(
      (each) => each.schema === schema && each.table === name && each.kind === "primaryKey",
    )?.columns ?? []
  );
}

const ACTIONS: Readonly<Record<string, ForeignKeyAction>> = {
  a: "no action",
  r: "restrict",
  c: "cascade",
  n: "set null",
  d: "set default",
};

function actionOf(letter: string | undefined): ForeignKeyAction {
  return ACTIONS[letter ?? "a"] ?? "no action";
}

function checkAt(tokens: readonly SqlToken[]): number {
  return tokens[Math.max(0, indexOfWords(tokens, ["CHECK"]))]?.start ?? 0;
}

/** SET NOT NULL: by a CHECK that is validated while others work. */
export function judgeSetNotNull(
  scene: Scene,
  table: RelationName,
  column: string,
  change: Change,
): Verdict {
  const path = pathOf(table);
  const alter = `ALTER TABLE ${path} ALTER COLUMN ${ident(column)}`;
  const fact = columnOf(scene, table, column);
  const locks = [lockOn(table, "accessExclusive")];
  if (fact?.notNull === true) return taken(change, { locks, undo: { kind: "nothing" } });
  const asIs = { locks, undo: backBy(`${alter} DROP NOT NULL`, locks) };
  const isShown = scene.proven.has(`${path}.${ident(column)}`);
  if (isShown || isCalm(scene, table, "set-not-null") || isProven(scene, table, column))
    return taken(change, asIs);
  return online(
    change,
    [
      {
        rule: "set-not-null",
        object: `${path}.${ident(column)}`,
        lock: { ...table, mode: "accessExclusive" },
      },
    ],
    [setNotNull({ schema: table.schema, table: table.name, column })],
  );
}

/** Whether a validated CHECK says already that no row is NULL there. */
function isProven(scene: Scene, { schema, name }: RelationName, column: string): boolean {
  return (scene.facts?.constraints ?? []).some(
    (each) =>
      each.schema === schema &&
      each.table === name &&
      each.kind === "check" &&
      each.validated &&
      each.enforced &&
      each.columns.length === 1 &&
      each.columns[0] === column &&
      /^\(.+ IS NOT NULL\)$/.test(each.expression ?? "") &&
      !/ (?:OR|AND) /.test(each.expression ?? ""),
  );
}
