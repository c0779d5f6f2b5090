import { ident, literal, qualified } from "../../sql/quote.ts";
import { watchFunctionSql } from "./twin-log.ts";
import { besideName, type TwinNames, type Twins } from "./twins.ts";

/** Gives up before the server's `deadlock_timeout` (1 s by default) lets an application's transaction be the victim. */
export function lockTwinsSql(schema: string, tables: readonly string[], mode: string): string {
  return lockPathsSql(
    tables.map((name) => qualified(schema, name)),
    mode,
  );
}

/** As {@link lockTwinsSql}, for tables of any schema by their paths. */
export function lockPathsSql(paths: readonly string[], mode: string): string {
  return `SELECT pg_catalog.set_config('lock_timeout', '400ms', true);\nLOCK TABLE ONLY ${paths.join(", ONLY ")} IN ${mode} MODE`;
}

/** Makes the table beside, empty and closed, without indexes: a plain one, or one that is partitioned as `split` says. */
export function makeBesideSql(twins: Twins, split = ""): readonly string[] {
  const { schema, table, names, columns } = twins;
  const beside = qualified(schema, names.beside);
  return [
    // A default that draws from a sequence opens it, unless the session has it still: so it is opened always.
    ...twins.sequences.flatMap(({ name, ownedBy }) =>
      ownedBy?.as === "serial" ? [`SELECT s.last_value FROM ${qualified(schema, name)} AS s`] : [],
    ),
    `CREATE TABLE ${beside} (LIKE ${qualified(schema, table.name)} INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS)${split === "" ? "" : ` ${split}`}`,
    `ALTER TABLE ${beside} OWNER TO ${ident(table.owner)}`,
    `ALTER TABLE ${beside} ENABLE ROW LEVEL SECURITY`,
    closeSql(beside),
    ...columns.flatMap(({ name, statisticsTarget, options }) => [
      ...(statisticsTarget === null
        ? []
        : [`ALTER TABLE ${beside} ALTER COLUMN ${ident(name)} SET STATISTICS ${statisticsTarget}`]),
      ...(options.length === 0
        ? []
        : [`ALTER TABLE ${beside} ALTER COLUMN ${ident(name)} SET (${options.join(", ")})`]),
    ]),
    ...twins.sequences.flatMap(({ ownedBy, name }) =>
      ownedBy?.as === "identity"
        ? [renameIdentitySql(twins, names.beside, ownedBy.column, besideName(twins, name))]
        : [],
    ),
  ];
}

/** Makes the log of keys and what writes into it. */
export function makeLogSql(twins: Twins): readonly string[] {
  const { schema, names, key } = twins;
  const log = qualified(schema, names.log);
  const keys = key.map(({ name, type }) => `${ident(name)} ${type}`).join(", ");
  return [
    `CREATE TABLE ${log} (${keys})`,
    `ALTER TABLE ${log} ENABLE ROW LEVEL SECURITY`,
    closeSql(log),
    watchFunctionSql(twins, names.watch, true),
    watchFunctionSql(twins, names.watchBack, true),
    ...[names.watch, names.watchBack].map(
      (name) => `REVOKE ALL ON FUNCTION ${qualified(schema, name)}() FROM PUBLIC`,
    ),
  ];
}

/** Takes away what default privileges gave. */
export function closeSql(path: string): string {
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

function renameIdentitySql({ schema }: Twins, table: string, column: string, name: string): string {
  return `DO ${literal(`
BEGIN
  EXECUTE pg_catalog.format('ALTER SEQUENCE %s RENAME TO %I',
    pg_catalog.pg_get_serial_sequence(${literal(qualified(schema, table))}, ${literal(column)}), ${literal(name)});
END`)}`;
}

/** An index as PostgreSQL prints it, on the table beside and under another name; with its constraint, if it has one. */
export function copyIndexSql(
  twins: {
    readonly schema: string;
    readonly table: { readonly name: string };
    readonly names: Pick<TwinNames, "beside" | "endings">;
  },
  name: string,
): string {
  const { schema, table, names } = twins;
  const beside = literal(qualified(schema, names.beside));
  const as = literal(besideName(twins, name));
  return `DO ${literal(`
DECLARE
  v_index oid := ${literal(qualified(schema, name))}::regclass;
  v_constraint oid;
  v_rest text;
  v_unique text;
  v_only text;
BEGIN
  SELECT k.oid INTO v_constraint FROM pg_catalog.pg_constraint AS k WHERE k.conindid = v_index AND k.contype IN ('p', 'u', 'x');
  IF v_constraint IS NOT NULL THEN
    EXECUTE pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', ${beside}, ${as},
      pg_catalog.pg_get_constraintdef(v_constraint));
  ELSE
    SELECT CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, CASE WHEN c.relkind = 'I' THEN 'ONLY ' ELSE '' END INTO v_unique, v_only
    FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid WHERE i.indexrelid = v_index;
    v_rest := pg_catalog.pg_get_indexdef(v_index);
    v_rest := pg_catalog.substr(v_rest, 1 + pg_catalog.length(
      pg_catalog.format('CREATE %sINDEX %I ON %s%I.%I ', v_unique, ${literal(name)}, v_only, ${literal(schema)}, ${literal(table.name)})));
    EXECUTE pg_catalog.format('CREATE %sINDEX %I ON %s %s', v_unique, ${as}, ${beside}, v_rest);
  END IF;
END`)}`;
}
