import { ident, literal, qualified } from "../../sql/quote.ts";
import { flatName, type Flat } from "./flat-of.ts";

/** Entries of the log in one transaction: each may lead to another leaf, whose locks are kept until it ends. */
const LOG_ROWS = 200;
/** With fewer entries than this the swap may begin. */
const FEW = 50;

const TRIGGER = "zz_underpin_flat";

/** Gives up before the server's `deadlock_timeout` (1 s by default) lets an application's transaction be the victim. */
export function lockFlatSql(schema: string, tables: readonly string[], mode: string): string {
  const paths = tables.map((name) => qualified(schema, name));
  return `SELECT pg_catalog.set_config('lock_timeout', '400ms', true);\nLOCK TABLE ONLY ${paths.join(", ONLY ")} IN ${mode} MODE`;
}

/** Makes the plain table, empty and closed, with the indexes of the partitioned one under other names, and the log of keys. */
export function prepareFlatSql(flat: Flat): string {
  const { schema, table, names, key, columns } = flat;
  const [plain, log] = [qualified(schema, names.plain), qualified(schema, names.log)];
  const keys = key.map(({ name, type }) => `${ident(name)} ${type}`).join(", ");
  return [
    // A default that draws from a sequence opens it, unless the session has it still: so it is opened always.
    ...flat.sequences.flatMap(({ name, ownedBy }) =>
      ownedBy?.as === "serial" ? [`SELECT s.last_value FROM ${qualified(schema, name)} AS s`] : [],
    ),
    `CREATE TABLE ${plain} (LIKE ${qualified(schema, table.name)} INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS)`,
    `ALTER TABLE ${plain} OWNER TO ${ident(table.owner)}`,
    `ALTER TABLE ${plain} ENABLE ROW LEVEL SECURITY`,
    closeSql(plain),
    ...columns.flatMap(({ name, statisticsTarget, options }) => [
      ...(statisticsTarget === null
        ? []
        : [`ALTER TABLE ${plain} ALTER COLUMN ${ident(name)} SET STATISTICS ${statisticsTarget}`]),
      ...(options.length === 0
        ? []
        : [`ALTER TABLE ${plain} ALTER COLUMN ${ident(name)} SET (${options.join(", ")})`]),
    ]),
    ...flat.sequences.flatMap(({ ownedBy, name }) =>
      ownedBy?.as === "identity"
        ? [renameIdentitySql(flat, names.plain, ownedBy.column, flatName(name))]
        : [],
    ),
    ...flat.indexes.map(({ name }) => copyIndexSql(flat, name)),
    `CREATE TABLE ${log} (${keys})`,
    `ALTER TABLE ${log} ENABLE ROW LEVEL SECURITY`,
    closeSql(log),
    watchFunctionSql(flat, names.watch, true),
    watchFunctionSql(flat, names.watchBack, true),
    ...[names.watch, names.watchBack].map(
      (name) => `REVOKE ALL ON FUNCTION ${qualified(schema, name)}() FROM PUBLIC`,
    ),
  ].join(";\n");
}

/** What default privileges gave. */
function closeSql(path: string): string {
  return `DO ${literal(`
DECLARE
  v_grantee oid;
BEGIN
  FOR v_grantee IN
    SELECT DISTINCT a.grantee FROM pg_catalog.pg_class AS c, pg_catalog.aclexplode(c.relacl) AS a
    WHERE c.oid = ${literal(path)}::regclass AND a.grantee <> c.relowner
  LOOP
    EXECUTE pg_catalog.format('REVOKE ALL ON TABLE %s FROM %s', ${literal(path)},
      CASE v_grantee WHEN 0 THEN 'PUBLIC' ELSE v_grantee::regrole::text END);
  END LOOP;
END`)}`;
}

function renameIdentitySql({ schema }: Flat, table: string, column: string, name: string): string {
  return `DO ${literal(`
BEGIN
  EXECUTE pg_catalog.format('ALTER SEQUENCE %s RENAME TO %I',
    pg_catalog.pg_get_serial_sequence(${literal(qualified(schema, table))}, ${literal(column)}), ${literal(name)});
END`)}`;
}

/** An index as PostgreSQL prints it, on the plain table and under another name; with its constraint, if it has one. */
function copyIndexSql({ schema, table, names }: Flat, name: string): string {
  const plain = literal(qualified(schema, names.plain));
  return `DO ${literal(`
DECLARE
  v_index oid := ${literal(qualified(schema, name))}::regclass;
  v_constraint oid;
  v_rest text;
  v_unique text;
BEGIN
  SELECT k.oid INTO v_constraint FROM pg_catalog.pg_constraint AS k WHERE k.conindid = v_index AND k.contype IN ('p', 'u', 'x');
  IF v_constraint IS NOT NULL THEN
    EXECUTE pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', ${plain}, ${literal(flatName(name))},
      pg_catalog.pg_get_constraintdef(v_constraint));
  ELSE
    SELECT CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END INTO v_unique FROM pg_catalog.pg_index AS i WHERE i.indexrelid = v_index;
    v_rest := pg_catalog.pg_get_indexdef(v_index);
    v_rest := pg_catalog.substr(v_rest, 1 + pg_catalog.length(
      pg_catalog.format('CREATE %sINDEX %I ON ONLY %I.%I ', v_unique, ${literal(name)}, ${literal(schema)}, ${literal(table.name)})));
    EXECUTE pg_catalog.format('CREATE %sINDEX %I ON %s %s', v_unique, ${literal(flatName(name))}, ${plain}, v_rest);
  END IF;
END`)}`;
}

/** What logs the keys of rows that change; asleep it logs nothing. */
export function watchFunctionSql(
  { schema, names, key }: Flat,
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
export function watchSql({ schema }: Flat, table: string, watch: string): string {
  const path = qualified(schema, table);
  return [
    [TRIGGER, "INSERT OR UPDATE OR DELETE", "ROW"],
    [`${TRIGGER}_truncate`, "TRUNCATE", "STATEMENT"],
  ]
    .flatMap(([trigger = "", events = "", each = ""]) => [
      `CREATE TRIGGER ${ident(trigger)} AFTER ${events} ON ${path} FOR EACH ${each} EXECUTE FUNCTION ${qualified(schema, watch)}()`,
      // Also for what a subscription applies.
      `ALTER TABLE ${path} ENABLE ALWAYS TRIGGER ${ident(trigger)}`,
    ])
    .join(";\n");
}

/** Takes {@link watchSql} back. */
export function unwatchSql({ schema }: Flat, table: string): string {
  return [TRIGGER, `${TRIGGER}_truncate`]
    .map((trigger) => `DROP TRIGGER ${ident(trigger)} ON ${qualified(schema, table)}`)
    .join(";\n");
}

/** Takes the log of a plain table away. */
export function dropWatchSql(
  schema: string,
  table: string,
  names: Pick<Flat["names"], "log">,
): string {
  return [
    ...[TRIGGER, `${TRIGGER}_truncate`].map(
      (trigger) => `DROP TRIGGER IF EXISTS ${ident(trigger)} ON ${qualified(schema, table)}`,
    ),
    `DROP TABLE IF EXISTS ${qualified(schema, names.log)}`,
  ].join(";\n");
}

/**
 * Works off the log: `to` becomes as `from` is now, key by key. With `commits` it stops when few are left; else, under the lock of the
 * swap, when none is.
 *
 * Each key is a literal, so that of the partitioned table one leaf is opened and locked, and not all.
 */
export function catchUpFlatSql(flat: Flat, from: string, to: string, commits: boolean): string {
  const { schema, names, key, writable } = flat;
  const log = qualified(schema, names.log);
  const keys = key.map(({ name }) => ident(name)).join(", ");
  const first = ident(key[0]?.name ?? "");
  const list = writable.map(ident).join(", ");
  const where = key.map(({ name, type }) => `${ident(name)} = %L::${type}`).join(" AND ");
  const values = key.map(({ name }) => `v_key.${ident(name)}`).join(", ");
  const [source, target] = [qualified(schema, from), qualified(schema, to)];
  const each = (statement: string) => `      FOREACH v_key IN ARRAY coalesce(v_keys, '{}') LOOP
        EXECUTE pg_catalog.format(${literal(statement)}, ${values});
      END LOOP;`;
  const plain = (text: string) => text.replaceAll("%", "%%");
  return `DO ${literal(`
DECLARE
  v_keys ${log}[];
  v_key ${log};
  v_limit bigint := ${LOG_ROWS};
BEGIN
  LOOP
    BEGIN
      IF EXISTS (SELECT FROM ${log} WHERE ${first} IS NULL) THEN
        DELETE FROM ${log} WHERE ${first} IS NULL;
        INSERT INTO ${log} SELECT ${keys} FROM ${target};
      END IF;
      WITH taken AS (
        DELETE FROM ${log} AS l WHERE l.ctid = ANY (ARRAY(SELECT ctid FROM ${log} WHERE ${first} IS NOT NULL LIMIT v_limit))
        RETURNING l
      ) SELECT pg_catalog.array_agg(DISTINCT taken.l) INTO v_keys FROM taken;
${each(`DELETE FROM ${plain(target)} WHERE ${where}`)}
${each(`INSERT INTO ${plain(target)} (${plain(list)}) OVERRIDING SYSTEM VALUE SELECT ${plain(list)} FROM ${plain(source)} WHERE ${where}`)}
    EXCEPTION WHEN unique_violation THEN
      -- A value moved from one row to another, and the other's entry is not in this batch: take all at once.
      IF v_limit IS NULL THEN
        RAISE;
      END IF;
      v_limit := NULL;
      CONTINUE;
    END;
    ${commits ? `COMMIT;\n    EXIT WHEN pg_catalog.cardinality(coalesce(v_keys, '{}')) < ${FEW};` : "EXIT WHEN v_keys IS NULL;"}
  END LOOP;
END`)}`;
}
