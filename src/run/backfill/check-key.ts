import { UnderpinError } from "../../errors.ts";
import type { Queryable } from "../../executor/executor.ts";
import type { BackfillStep, KeyColumn } from "../../plan/step.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { StepFailed } from "../failure.ts";

/** A table and a key of it, as the catalog has them. */
interface KeyReading {
  readonly kind: string;
  readonly heirs: boolean;
  /** In the order of the step's key; nulls where there is no such column. */
  readonly columns: readonly {
    readonly name: string;
    readonly type: string | null;
    readonly same: boolean | null;
    readonly proven: boolean | null;
  }[];
  readonly unique: boolean;
  /** The schema of an operator that sorts a column and is not on the search path. */
  readonly hidden: string | null;
}

/**
 * Refuses a key that does not lead through every row once: not unique, NULL in some row, of another type than the step says,
 * or compared by other operators than those that sort it.
 *
 * Each would be silent. No comparison finds a NULL; a cast to `varchar(2)` cuts the key at which a page ends, and the page comes
 * again; and `>` is found by the search path while ORDER BY is not, so that a `citext` whose schema is not on it is compared
 * as text.
 */
export async function refuseBadKey(db: Queryable, step: BackfillStep): Promise<void> {
  const [row] = await db.query<{ json: string }>(readingSql(step));
  // A table that is not there says so itself.
  if (row === undefined) return;
  const { schema, name } = step.table;
  const wrong = faultOf(JSON.parse(row.json) as KeyReading, step.key);
  if (wrong === undefined) return;
  const [what, hint] = wrong;
  throw new StepFailed(
    step.id,
    undefined,
    new UnderpinError({
      code: "invalidDefinition",
      message: `${qualified(schema, name)} cannot be gone through by (${step.key.map((column) => column.name).join(", ")}): ${what}`,
      hint,
    }),
  );
}

const ANOTHER =
  "Take the columns of its primary key, or hand over facts: backfill({ facts: await readFacts(db), … }).";

function faultOf(
  { kind, heirs, columns, unique, hidden }: KeyReading,
  key: readonly KeyColumn[],
): readonly [what: string, hint: string] | undefined {
  if (kind !== "r" && kind !== "p")
    return ["it is no table", "Change the rows of the table itself."];
  if (heirs)
    return [
      "other tables inherit from it, and a key of one is none of the other",
      "Change the rows of each table by itself.",
    ];
  for (const [at, { name, type, same, proven }] of columns.entries()) {
    if (type === null) return [`there is no column "${name}"`, ANOTHER];
    if (same !== true)
      return [`"${name}" is of type ${type}, not ${key[at]?.type}`, `Write type: "${type}".`];
    if (proven !== true) return [`"${name}" may be NULL, and no page would find that row`, ANOTHER];
  }
  if (!unique) return ["no valid unique index says that it is unique", ANOTHER];
  if (hidden !== null)
    return [
      `it is sorted by operators of the schema "${hidden}", which is not on the search path of this login`,
      `ALTER ROLE <this login> SET search_path = …, ${ident(hidden)}; and connect again.`,
    ];
  return undefined;
}

function readingSql({ table, key }: BackfillStep): string {
  const wanted = literal(JSON.stringify(key.map(({ name, type }) => ({ name, type }))));
  // A type without its modifier is the same, but for those whose name alone means a length or a field.
  return `WITH t AS (
  SELECT c.oid, c.relkind FROM pg_catalog.pg_class AS c
  WHERE c.oid = pg_catalog.to_regclass(${literal(qualified(table.schema, table.name))})
), k AS (
  SELECT w.at, w.value ->> 'name' AS name, a.attnum, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
    w.value ->> 'type' = pg_catalog.format_type(a.atttypid, a.atttypmod)
      OR (pg_catalog.to_regtype(w.value ->> 'type') = a.atttypid AND pg_catalog.strpos(w.value ->> 'type', '(') = 0
        AND a.atttypid NOT IN (1042, 1186, 1560)) AS same,
    a.attnotnull AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_constraint AS n
      WHERE n.conrelid = t.oid AND n.contype = 'n' AND NOT n.convalidated AND n.conkey = ARRAY[a.attnum]) AS proven
  FROM t CROSS JOIN pg_catalog.jsonb_array_elements(${wanted}::jsonb) WITH ORDINALITY AS w (value, at)
  LEFT JOIN pg_catalog.pg_attribute AS a
    ON a.attrelid = t.oid AND a.attname = w.value ->> 'name' AND a.attnum > 0 AND NOT a.attisdropped
), i AS (
  SELECT x.indexrelid, x.indclass FROM t JOIN pg_catalog.pg_index AS x ON x.indrelid = t.oid
  WHERE x.indisunique AND x.indisvalid AND x.indisready AND x.indislive AND x.indpred IS NULL
    AND ARRAY(SELECT x.indkey[p] FROM pg_catalog.generate_series(0, x.indnkeyatts - 1) AS p) <@ ARRAY(SELECT k.attnum FROM k)
)
SELECT pg_catalog.json_build_object('kind', t.relkind,
  'heirs', t.relkind <> 'p' AND EXISTS (SELECT FROM pg_catalog.pg_inherits AS h WHERE h.inhparent = t.oid),
  'columns', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', k.name, 'type', k.type, 'same', k.same, 'proven', k.proven) ORDER BY k.at) FROM k),
  'unique', EXISTS (SELECT FROM i),
  'hidden', (SELECT pg_catalog.min(n.nspname::text) FROM i
    CROSS JOIN pg_catalog.unnest(i.indclass::oid[]) AS u (oid)
    JOIN pg_catalog.pg_opclass AS o ON o.oid = u.oid AND o.opcdefault
    JOIN pg_catalog.pg_amop AS m ON m.amopfamily = o.opcfamily AND m.amoplefttype = o.opcintype
      AND m.amoprighttype = o.opcintype AND m.amopstrategy IN (2, 5)
    JOIN pg_catalog.pg_operator AS op ON op.oid = m.amopopr
    JOIN pg_catalog.pg_namespace AS n ON n.oid = op.oprnamespace
    WHERE NOT pg_catalog.pg_operator_is_visible(op.oid)))::text AS json
FROM t`;
}
