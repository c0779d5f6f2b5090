import type { ColumnDef, Constraint, Node } from "libpg-query";
import { isUnderpinError } from "../../errors.ts";
import type { RelationName } from "../../plan/step.ts";
import { addColumn } from "../../recipes/add-column.ts";
import type { SqlStatement } from "../../sql/parse.ts";
import { ident } from "../../sql/quote.ts";
import { isNull, isOneValue } from "./one-value.ts";
import { judgeConstraint } from "./judge-constraint.ts";
import { columnOf, factsAbout, isCalm, newColumn, type Scene } from "./scene.ts";
import { indexOfWords, partOf, type Part } from "./statement-text.ts";
import { typeWord } from "./type-text.ts";
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

/** One ADD COLUMN, and where its words are. */
export interface NewColumn {
  readonly table: RelationName;
  readonly definition: ColumnDef;
  readonly missingOk: boolean;
  /** From ADD to the comma. */
  readonly part: Part;
  readonly statement: SqlStatement;
}

const SERIALS = new Set(["serial", "serial4", "bigserial", "serial8", "smallserial", "serial2"]);

const OWN_CHANGES = new Set(["CONSTR_CHECK", "CONSTR_FOREIGN", "CONSTR_UNIQUE", "CONSTR_PRIMARY"]);

/**
 * ADD COLUMN: what is kept in the catalog alone is taken as it is. A value for each row comes in batches, and a constraint after
 * its column.
 */
export function judgeAddColumn(
  scene: Scene,
  column: NewColumn,
  change: Change,
): readonly Verdict[] {
  const { table, definition } = column;
  const name = definition.colname ?? "";
  const path = `${pathOf(table)}.${ident(name)}`;
  const locks = [lockOn(table, "accessExclusive")];
  const constraints = constraintsOf(definition);
  const is = (...types: readonly string[]) =>
    constraints.some(({ contype }) => types.includes(contype ?? ""));
  const initial = constraints.find(({ contype }) => contype === "CONSTR_DEFAULT")?.raw_expr;
  const asIs: Taken = {
    locks,
    undo: column.missingOk
      ? columnOf(scene, table, name) === undefined && scene.facts !== undefined
        ? dropColumn(table, name)
        : never("IF NOT EXISTS: the column may have been there before")
      : dropColumn(table, name),
  };
  const mayBe = ["add-column-rewrite", "add-column-not-null", "add-column-constraint"] as const;
  if (mayBe.some((rule) => isCalm(scene, table, rule))) return [taken(change, asIs)];
  const isNumbered = SERIALS.has(typeWord(definition.typeName)) || is("CONSTR_IDENTITY");
  const isStored = constraints.some(
    (each) => each.contype === "CONSTR_GENERATED" && each.generated_kind !== "v",
  );
  const lock = { ...table, mode: "accessExclusive" } as const;
  if (isNumbered || isStored)
    return [
      gated(
        change,
        {
          rule: "add-column-rewrite",
          object: path,
          lock,
          note: isNumbered
            ? `number the old rows in batches: CREATE SEQUENCE, then addColumn({ type: "bigint", default: "nextval('…')" })`
            : "keep a plain column by a trigger and fill it in batches, or from 18 make it VIRTUAL",
        },
        `Can ${pathOf(table)} be out of use while it is written anew with ${ident(name)}?`,
        asIs,
      ),
    ];
  const own = constraints.filter(({ contype }) => OWN_CHANGES.has(contype ?? ""));
  const isFilled = !isNull(initial);
  const notNull = is("CONSTR_NOTNULL") || is("CONSTR_PRIMARY");
  if (notNull && !isFilled)
    return [
      gated(
        change,
        { rule: "add-column-not-null", object: path },
        `Is ${pathOf(table)} empty? With one row in it ${ident(name)} NOT NULL without a default fails.`,
        asIs,
      ),
    ];
  const varies = isFilled && !isOneValue(initial);
  if (own.length === 0 && !varies) return [taken(change, asIs)];
  return [
    ...(varies
      ? [filled(scene, column, constraints, notNull, change, asIs)]
      : [bare(column, constraints, change, asIs)]),
    ...laterConstraints(scene, column, own, change),
  ];
}

/** The column without its constraints, which come afterwards. */
function bare(
  column: NewColumn,
  constraints: readonly Constraint[],
  change: Change,
  asIs: Taken,
): Verdict {
  const { table } = column;
  const { definition, rest } = textsOf(column, constraints, (type) => !OWN_CHANGES.has(type));
  const { parts } = taken(
    {
      id: change.id,
      sql: `ALTER TABLE ${pathOf(table)} ADD COLUMN ${[definition, ...rest].join(" ")}`,
    },
    asIs,
  );
  return { hazards: [], parts, online: true };
}

/** The column for new rows, and the old ones in batches. */
function filled(
  scene: Scene,
  column: NewColumn,
  constraints: readonly Constraint[],
  notNull: boolean,
  change: Change,
  asIs: Taken,
): Verdict {
  const { table, definition } = column;
  const name = definition.colname ?? "";
  const hazard: Hazard = {
    rule: "add-column-rewrite",
    object: `${pathOf(table)}.${ident(name)}`,
    lock: { ...table, mode: "accessExclusive" },
  };
  const question = `Can ${pathOf(table)} be out of use while it is written anew with ${ident(name)}?`;
  if (scene.facts === undefined)
    return gated(
      change,
      {
        ...hazard,
        note: "with facts underpin fills it in batches: which key they go by is in the catalog",
      },
      question,
      asIs,
    );
  try {
    const plan = addColumn({
      facts: factsAbout(scene, [table]),
      schema: table.schema,
      table: table.name,
      column: name,
      type: typeTextOf(column, constraints),
      default: defaultTextOf(column, constraints),
      evaluate: "eachRow",
      notNull,
    });
    return online(change, [hazard], [plan]);
  } catch (error) {
    if (!isUnderpinError(error)) throw error;
    return gated(change, { ...hazard, note: `${error.message}: ${error.hint}` }, question, asIs);
  }
}

function laterConstraints(
  scene: Scene,
  column: NewColumn,
  own: readonly Constraint[],
  change: Change,
): readonly Verdict[] {
  const { table, definition, statement } = column;
  const name = definition.colname ?? "";
  const later: Scene = {
    ...scene,
    columns: [...scene.columns, newColumn(table, name, typeWord(definition.typeName), false)],
  };
  return own.map((constraint, at) => {
    const part = partAt(column, constraintsOf(definition), constraint);
    const judged = judgeConstraint(
      later,
      {
        table,
        constraint,
        text: part.text,
        whole: statement.text,
        tokens: part.tokens,
        column: name,
      },
      {
        id: `${change.id}-constraint-${at + 1}`,
        sql: `ALTER TABLE ${pathOf(table)} ADD ${constraintSql(constraint, part.text, name)}`,
      },
    );
    return {
      ...judged,
      hazards: judged.hazards.map((hazard) => ({ ...hazard, rule: "add-column-constraint" })),
    };
  });
}

/** A constraint of a column as one of its table. */
function constraintSql({ contype, conname }: Constraint, text: string, column: string): string {
  const bare = text.replace(/^constraint\s+(?:"(?:[^"]|"")*"|\S+)\s+/i, "");
  const head = conname === undefined ? "" : `CONSTRAINT ${ident(conname)} `;
  if (contype === "CONSTR_FOREIGN") return `${head}FOREIGN KEY (${ident(column)}) ${bare}`;
  if (contype === "CONSTR_UNIQUE" || contype === "CONSTR_PRIMARY")
    return `${head}${bare} (${ident(column)})`;
  return `${head}${bare}`;
}

function dropColumn(table: RelationName, name: string): Taken["undo"] {
  return backBy(
    `ALTER TABLE ${pathOf(table)} DROP COLUMN ${ident(name)}`,
    [lockOn(table, "accessExclusive")],
    "a column slot",
  );
}

/** The constraints of a column definition, in their order. */
export function constraintsOf({ constraints }: ColumnDef): readonly Constraint[] {
  return (constraints ?? []).flatMap((node: Node) =>
    "Constraint" in node ? [node.Constraint] : [],
  );
}

/** The words of one constraint: to where the next one begins. */
function partAt(column: NewColumn, all: readonly Constraint[], constraint: Constraint): Part {
  const { statement, part } = column;
  const starts = all.map(({ location }) => statement.at(location ?? 0));
  const start = statement.at(constraint.location ?? 0);
  // A property of a constraint, as DEFERRABLE, belongs to the one before it.
  const isProperty = (at: number) => all[at]?.contype?.startsWith("CONSTR_ATTR_") === true;
  const next = Math.min(
    ...starts.filter((other, at) => other > start && !isProperty(at)),
    part.end,
  );
  const tokens = part.tokens.filter((token) => token.start >= start && token.start < next);
  return partOf(statement.text, tokens);
}

function textsOf(
  column: NewColumn,
  constraints: readonly Constraint[],
  keep: (contype: string) => boolean,
) {
  const first = Math.min(
    ...constraints.map(({ location }) => column.statement.at(location ?? 0)),
    column.part.end + 1,
  );
  const name = column.statement.at(column.definition.location ?? 0);
  const head = column.part.tokens.filter((token) => token.start >= name && token.start < first);
  const rest = constraints
    .filter(({ contype = "" }) => keep(contype) && !contype.startsWith("CONSTR_ATTR_"))
    .map((constraint) => partAt(column, constraints, constraint).text);
  return { definition: partOf(column.statement.text, head).text, rest };
}

/** What stands between the name of the column and its constraints. */
function typeTextOf(column: NewColumn, constraints: readonly Constraint[]): string {
  const { definition } = textsOf(column, constraints, () => false);
  const [name] = column.part.tokens.filter(
    (token) => token.start >= column.statement.at(column.definition.location ?? 0),
  );
  return definition.slice(name?.text.length ?? 0).trim();
}

function defaultTextOf(column: NewColumn, constraints: readonly Constraint[]): string {
  const constraint = constraints.find(({ contype }) => contype === "CONSTR_DEFAULT");
  if (constraint === undefined) return "NULL";
  const part = partAt(column, constraints, constraint);
  const at = indexOfWords(part.tokens, ["DEFAULT"]);
  return partOf(column.statement.text, part.tokens.slice(at + 1)).text;
}
