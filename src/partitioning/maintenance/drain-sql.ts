import { ident, literal, qualified } from "../../sql/quote.ts";

/** The tables of one drain. */
export interface Stages {
  readonly schema: string;
  /** The default partition, quoted. */
  readonly from: string;
  /** Its name once the new ones are in its place. */
  readonly old: string;
  /** The new default partition until it takes the name of the old. */
  readonly rest: string;
  readonly log: string;
  readonly sync: string;
  readonly columns: readonly string[];
  readonly key: readonly { readonly name: string; readonly type: string }[];
  readonly parts: readonly {
    readonly name: string;
    readonly lower: string;
    readonly upper: string;
    /** Which rows it takes. */
    readonly condition: string;
  }[];
  readonly mark: string;
}

/** Rows in one transaction of the copy. */
const COPY_ROWS = 5_000;

/** Entries of the log that are worked off in one transaction. */
const LOG_ROWS = 2_000;

/** With fewer entries than this the swap may begin. */
const FEW = 200;

/**
 * The log of keys, and the trigger that fills it.
 *
 * It logs keys and copies nothing: a writer of any isolation level only adds a row of its own, where a trigger that changed the copy would
 * not see what is newer than its snapshot, and lose a DELETE (REPEATABLE READ, 15 and 18). TRUNCATE fires no row trigger.
 */
export function syncSql({ schema, from, log, sync, key, parts, rest, mark }: Stages): string {
  const table = qualified(schema, log);
  const names = key.map(({ name }) => ident(name)).join(", ");
  const of = (row: "OLD" | "NEW") => key.map(({ name }) => `${row}.${ident(name)}`).join(", ");
  const all = [...parts.map(({ name }) => qualified(schema, name)), qualified(schema, rest), table];
  return `CREATE TABLE ${table} (${key.map(({ name, type }) => `${ident(name)} ${type} NOT NULL`).join(", ")});
COMMENT ON TABLE ${table} IS ${literal(`${mark} as log`)};
REVOKE ALL ON TABLE ${table} FROM PUBLIC;
CREATE FUNCTION ${qualified(schema, sync)}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $sync$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    TRUNCATE ${all.join(", ")};
    RETURN NULL;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    INSERT INTO ${table} (${names}) VALUES (${of("OLD")});
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO ${table} (${names}) VALUES (${of("NEW")});
  END IF;
  RETURN NULL;
END
$sync$;
REVOKE ALL ON FUNCTION ${qualified(schema, sync)}() FROM PUBLIC;
CREATE TRIGGER zz_underpin_drain AFTER INSERT OR UPDATE OR DELETE ON ${from} FOR EACH ROW EXECUTE FUNCTION ${qualified(schema, sync)}();
CREATE TRIGGER zz_underpin_drain_truncate AFTER TRUNCATE ON ${from} FOR EACH STATEMENT EXECUTE FUNCTION ${qualified(schema, sync)}();
ALTER TABLE ${from} ENABLE ALWAYS TRIGGER zz_underpin_drain;
ALTER TABLE ${from} ENABLE ALWAYS TRIGGER zz_underpin_drain_truncate`;
}

/** Copies all rows in the order of their key, and commits after each batch; what is there already stays. */
export function copySql(stages: Stages): string {
  const { schema, from, key, columns, log, mark } = stages;
  const variables = key.map(({ type }, at) => ({ name: ident(`underpin key ${at + 1}`), type }));
  const list = columns.map(ident).join(", ");
  const order = (direction: string) =>
    key.map(({ name }) => `b.${ident(name)} ${direction}`).join(", ");
  const keys = key.map(({ name }) => `b.${ident(name)}`).join(", ");
  const into = variables.map(({ name }) => name).join(", ");
  const batch = (after: string) => `WITH batch AS MATERIALIZED (
      SELECT ${list} FROM ONLY ${from} AS b ${after} ORDER BY ${order("ASC")} LIMIT ${COPY_ROWS}
    )${inserts(stages, "batch")}
    SELECT ${keys} INTO ${into} FROM batch AS b ORDER BY ${order("DESC")} LIMIT 1`;
  return `DO $copy$
<<underpin>>
DECLARE
${variables.map(({ name, type }) => `  ${name} ${type};`).join("\n")}
BEGIN
  ${batch("")};
  WHILE FOUND LOOP
    COMMIT;
    ${batch(`WHERE (${keys}) > (${variables.map(({ name }) => `underpin.${name}`).join(", ")})`)};
  END LOOP;
  COMMENT ON TABLE ${qualified(schema, log)} IS ${literal(`${mark}, copied, as log`)};
END
$copy$`;
}

/** One INSERT for each partition, out of a batch of rows. */
function inserts({ schema, columns, parts, rest }: Stages, source: string): string {
  const list = columns.map(ident).join(", ");
  const one = (name: string, condition: string, at: number) => `, put_${at} AS (
      INSERT INTO ${qualified(schema, name)} (${list}) SELECT ${list} FROM ${source} WHERE ${condition} ON CONFLICT DO NOTHING
    )`;
  const elsewhere = `NOT (${parts.map(({ condition }) => `(${condition})`).join(" OR ")})`;
  return [
    ...parts.map(({ name, condition }, at) => one(name, condition, at)),
    one(rest, elsewhere, parts.length),
  ].join("");
}

/**
 * Works off the log: takes entries out, and writes the rows of their keys anew as they are now. All that changes later has an entry
 * of its own. With `commits` it stops when few are left; else, under the lock of the swap, when none is.
 */
export function applyLogSql(stages: Stages, commits: boolean): string {
  const { schema, from, log, key, columns, parts, rest } = stages;
  const table = qualified(schema, log);
  const on = (alias: string) =>
    key.map(({ name }) => `${alias}.${ident(name)} = k.${ident(name)}`).join(" AND ");
  const deletes = [...parts.map(({ name }) => name), rest].map(
    (name) =>
      `    DELETE FROM ${qualified(schema, name)} AS t USING pg_catalog.unnest(v_keys) AS k WHERE ${on("t")};`,
  );
  return `DO $log$
DECLARE
  v_keys ${table}[];
  v_moved bigint;
BEGIN
  FOR v_round IN 1 .. 1000000 LOOP
    WITH gone AS (
      DELETE FROM ${table} AS l WHERE l.ctid = ANY (ARRAY(SELECT m.ctid FROM ${table} AS m LIMIT ${LOG_ROWS})) RETURNING l
    )
    SELECT pg_catalog.array_agg(gone.l) INTO v_keys FROM gone;
    EXIT WHEN v_keys IS NULL;
${deletes.join("\n")}
    WITH batch AS MATERIALIZED (
      SELECT ${columns.map((column) => `b.${ident(column)}`).join(", ")} FROM ONLY ${from} AS b
      WHERE EXISTS (SELECT FROM pg_catalog.unnest(v_keys) AS k WHERE ${on("b")})
    )${inserts(stages, "batch")}
    SELECT pg_catalog.count(*) INTO v_moved FROM batch;${commits ? `\n    COMMIT;\n    EXIT WHEN (SELECT pg_catalog.count(*) FROM (SELECT FROM ${table} LIMIT ${FEW}) AS f) < ${FEW};` : ""}
  END LOOP;
END
$log$`;
}

/** Rows that are not the same on both sides and in no entry of the log: one statement, one snapshot, so that writers may go on. */
export function differencesSql({ schema, from, log, key, columns, parts, rest }: Stages): string {
  const list = columns.map(ident).join(", ");
  const copies = [...parts.map(({ name }) => name), rest]
    .map((name) => `SELECT ${list} FROM ${qualified(schema, name)}`)
    .join(" UNION ALL ");
  const text = (alias: string) =>
    `ROW(${columns.map((column) => `${alias}.${ident(column)}`).join(", ")})::text`;
  const on = key.map(({ name }) => `d.${ident(name)} = c.${ident(name)}`).join(" AND ");
  const first = ident(key[0]?.name ?? "");
  const logged = key
    .map(({ name }) => `l.${ident(name)} = coalesce(d.${ident(name)}, c.${ident(name)})`)
    .join(" AND ");
  return `SELECT coalesce(${text("d")}, ${text("c")}) AS row
FROM (SELECT ${list} FROM ONLY ${from}) AS d FULL JOIN (${copies}) AS c ON ${on}
WHERE (d.${first} IS NULL OR c.${first} IS NULL OR ${text("d")} IS DISTINCT FROM ${text("c")})
  AND NOT EXISTS (SELECT FROM ${qualified(schema, log)} AS l WHERE ${logged})
LIMIT 5`;
}
