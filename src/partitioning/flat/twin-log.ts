import { ident, literal, qualified } from "../../sql/quote.ts";
import type { TwinNames, Twins } from "./twins.ts";

/** Entries of the log in one transaction: each may lead to another leaf, whose locks are kept until it ends. */
const LOG_ROWS = 200;
/** With fewer entries than this the swap may begin. */
const FEW = 50;

/** What logs the keys of rows that change; asleep it logs nothing. */
export function watchFunctionSql(
  { schema, names, key }: Twins,
  name: string,
  awake: boolean,
): string {
  const log = qualified(schema, names.log);
  const of = (row: "OLD" | "NEW") => key.map((each) => `${row}.${ident(each.name)}`).join(", ");
  const body = awake
    ? `
  IF TG_OP = 'TRUNCATE' THEN
    -- An entry without a key: everything may be gone.
    INSERT INTO ${log} DEFAULT VALUES;
    RETURN NULL;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    INSERT INTO ${log} VALUES (${of("OLD")});
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO ${log} VALUES (${of("NEW")});
  END IF;
  RETURN NULL;`
    : `
  RETURN NULL;`;
  return `CREATE OR REPLACE FUNCTION ${qualified(schema, name)}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS ${literal(`
BEGIN${body}
END`)}`;
}

/** Logs what changes in a table. */
export function watchSql({ schema, names }: Twins, table: string, watch: string): string {
  const path = qualified(schema, table);
  return [
    [names.trigger, "INSERT OR UPDATE OR DELETE", "ROW"],
    [`${names.trigger}_truncate`, "TRUNCATE", "STATEMENT"],
  ]
    .flatMap(([trigger = "", events = "", each = ""]) => [
      `CREATE TRIGGER ${ident(trigger)} AFTER ${events} ON ${path} FOR EACH ${each} EXECUTE FUNCTION ${qualified(schema, watch)}()`,
      // Also for what a subscription applies.
      `ALTER TABLE ${path} ENABLE ALWAYS TRIGGER ${ident(trigger)}`,
    ])
    .join(";\n");
}

/** Takes {@link watchSql} back. */
export function unwatchSql({ schema, names }: Twins, table: string): string {
  return [names.trigger, `${names.trigger}_truncate`]
    .map((trigger) => `DROP TRIGGER ${ident(trigger)} ON ${qualified(schema, table)}`)
    .join(";\n");
}

/** Takes the log of a plain table away. */
export function dropWatchSql(
  schema: string,
  table: string,
  names: Pick<TwinNames, "log" | "trigger">,
): string {
  return [
    ...[names.trigger, `${names.trigger}_truncate`].map(
      (trigger) => `DROP TRIGGER IF EXISTS ${ident(trigger)} ON ${qualified(schema, table)}`,
    ),
    `DROP TABLE IF EXISTS ${qualified(schema, names.log)}`,
  ].join(";\n");
}

/** How a log is worked off. */
export interface CatchUp {
  readonly from: string;
  readonly to: string;
  /** Which of both is partitioned. */
  readonly partitioned: "from" | "to";
  /** In small transactions, until few entries are left; else, under the lock of the swap, until none is. */
  readonly commits: boolean;
  /**
   * What makes the partitions that rows of the keys in `v_keys` lack, and adds their number to `v_made`, as PL/pgSQL with variables of
   * its own.
   */
  readonly missing?: { readonly variables: string; readonly make: string };
}

/**
 * Works off the log: `to` becomes as `from` is now.
 *
 * Rows are looked up in the plain table for all keys at once. In the partitioned one each key is a literal of a statement of its own, so
 * that one leaf is opened and locked, and not all; only an INSERT finds its leaves by itself.
 */
export function catchUpSql(twins: Twins, how: CatchUp): string {
  const { from, to, commits, missing } = how;
  const { schema, names, key } = twins;
  const log = qualified(schema, names.log);
  const keys = key.map(({ name }) => ident(name)).join(", ");
  const first = ident(key[0]?.name ?? "");
  const copy =
    how.partitioned === "to"
      ? toLeavesSql(twins, qualified(schema, from), qualified(schema, to))
      : fromLeavesSql(twins, qualified(schema, from), qualified(schema, to));
  return `DO ${literal(`
DECLARE
  v_keys ${log}[];
  v_gone ${log}[];
  v_key ${log};
  v_limit bigint := ${LOG_ROWS};
${missing === undefined ? "" : `  v_homeless boolean;\n  v_made bigint;\n${missing.variables}`}BEGIN
  LOOP
${missing === undefined ? "" : "    v_homeless := false;\n"}    BEGIN
      -- Some keys of a table that may be large: each row is found by its key.
      PERFORM pg_catalog.set_config('enable_seqscan', 'off', true);
      IF EXISTS (SELECT FROM ${log} WHERE ${first} IS NULL) THEN
        DELETE FROM ${log} WHERE ${first} IS NULL;
        INSERT INTO ${log} SELECT ${keys} FROM ${qualified(schema, to)};
      END IF;
      WITH taken AS (
        DELETE FROM ${log} AS l WHERE l.ctid = ANY (ARRAY(SELECT ctid FROM ${log} WHERE ${first} IS NOT NULL LIMIT v_limit))
        RETURNING l
      ) SELECT pg_catalog.array_agg(DISTINCT taken.l) INTO v_keys FROM taken;
${copy}
    EXCEPTION WHEN unique_violation THEN
      -- A value moved from one row to another, and the other's entry is not in this batch: take all at once.
      IF v_limit IS NULL THEN
        RAISE;
      END IF;
      v_limit := NULL;
      CONTINUE;
${
  missing === undefined
    ? ""
    : `    WHEN check_violation THEN
      -- A row of a value that came after the others: no partition takes it yet.
      v_homeless := true;
`
}    END;
${missing === undefined ? "" : homelessSql(missing.make, commits)}    ${commits ? `COMMIT;\n    EXIT WHEN pg_catalog.cardinality(coalesce(v_keys, '{}')) < ${FEW};` : "EXIT WHEN v_keys IS NULL;"}
  END LOOP;
END`)}`;
}

/** From the plain table into the leaves: what is gone is deleted key by key, all else is written at once. */
function toLeavesSql(twins: Twins, from: string, to: string): string {
  const { key, writable, columns } = twins;
  const isKey = (name: string) => key.some((each) => each.name === name);
  const rest = writable.filter((name) => !isKey(name));
  // No UPDATE may write such a column, so that its row has to go first.
  const isFixed = columns.some(({ name, identity }) => identity === "always" && !isKey(name));
  const gone = isFixed
    ? "true"
    : // Where values moved between rows, each has to leave its place before another takes it.
      `v_limit IS NULL OR NOT EXISTS (SELECT FROM ${from} AS b WHERE ${same(twins, "b", "k")})`;
  const update =
    rest.length === 0 || isFixed
      ? "NOTHING"
      : `UPDATE SET ${rest.map((name) => `${ident(name)} = EXCLUDED.${ident(name)}`).join(", ")}`;
  return `      SELECT pg_catalog.array_agg(k) INTO v_gone FROM pg_catalog.unnest(v_keys) AS k WHERE ${gone};
${eachKeySql(twins, "v_gone", `DELETE FROM ${to}`)}
      INSERT INTO ${to} (${writable.map(ident).join(", ")}) OVERRIDING SYSTEM VALUE
        SELECT ${writable.map((name) => `b.${ident(name)}`).join(", ")} FROM pg_catalog.unnest(v_keys) AS k JOIN ${from} AS b ON ${same(twins, "b", "k")}
        ON CONFLICT (${key.map(({ name }) => ident(name)).join(", ")}) DO ${update};`;
}

/** From the leaves into the plain table: old rows go at once, and each is read anew from its leaf. */
function fromLeavesSql(twins: Twins, from: string, to: string): string {
  const list = twins.writable.map(ident).join(", ");
  return `      DELETE FROM ${to} AS b USING pg_catalog.unnest(v_keys) AS k WHERE ${same(twins, "b", "k")};
${eachKeySql(twins, "v_keys", `INSERT INTO ${to} (${list}) OVERRIDING SYSTEM VALUE SELECT ${list} FROM ${from}`)}`;
}

function eachKeySql({ key }: Twins, keys: string, statement: string): string {
  const plain = (text: string) => text.replaceAll("%", "%%");
  const where = key.map(({ name, type }) => `${plain(ident(name))} = %L::${plain(type)}`);
  const values = key.map(({ name }) => `v_key.${ident(name)}`).join(", ");
  return `      FOREACH v_key IN ARRAY coalesce(${keys}, '{}') LOOP
        EXECUTE pg_catalog.format(${literal(`${plain(statement)} WHERE ${where.join(" AND ")}`)}, ${values});
      END LOOP;`;
}

function same({ key }: Twins, a: string, b: string): string {
  return key.map(({ name }) => `${a}.${ident(name)} = ${b}.${ident(name)}`).join(" AND ");
}

function homelessSql(make: string, commits: boolean): string {
  return `    IF v_homeless THEN
      v_made := 0;
${make}      IF v_made = 0 THEN
        RAISE EXCEPTION 'a row that changed meanwhile breaks a CHECK, or no partition can be made for it'
          USING ERRCODE = 'check_violation';
      END IF;
${commits ? "      COMMIT;\n" : ""}      CONTINUE;
    END IF;
`;
}
