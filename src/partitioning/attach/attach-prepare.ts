import type { IndexFact } from "../../catalog/indexes.ts";
import { partitionSql } from "../../definition/emit/table.ts";
import { UnderpinError } from "../../errors.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { rootName } from "./attach-names.ts";
import type { Attach } from "./attach-of.ts";

/** Makes the root, empty and closed, under another name, with indexes alike under other names. */
export function prepareSql(attach: Attach): string {
  const { schema, table, names, scheme, columns, sequences } = attach;
  const root = qualified(schema, names.root);
  const { replicaIdentity, tablespace } = table;
  return [
    // A default that draws from a sequence opens it, unless the session has it still: so it is opened always.
    ...sequences.flatMap(({ name, ownedBy }) =>
      ownedBy?.as === "serial" ? [`SELECT s.last_value FROM ${qualified(schema, name)} AS s`] : [],
    ),
    `CREATE TABLE ${root} (LIKE ${qualified(schema, table.name)} INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS) ${partitionSql(scheme.dimensions[0])}${tablespace === null ? "" : ` TABLESPACE ${ident(tablespace)}`}`,
    `ALTER TABLE ${root} OWNER TO ${ident(table.owner)}`,
    `ALTER TABLE ${root} ENABLE ROW LEVEL SECURITY`,
    closeSql(root),
    ...columns.flatMap(({ name, statisticsTarget, options }) => [
      ...(statisticsTarget === null
        ? []
        : [`ALTER TABLE ${root} ALTER COLUMN ${ident(name)} SET STATISTICS ${statisticsTarget}`]),
      ...(options.length === 0
        ? []
        : [`ALTER TABLE ${root} ALTER COLUMN ${ident(name)} SET (${options.join(", ")})`]),
    ]),
    ...(replicaIdentity === "full" || replicaIdentity === "nothing"
      ? [`ALTER TABLE ${root} REPLICA IDENTITY ${replicaIdentity.toUpperCase()}`]
      : []),
    ...sequences.flatMap(({ ownedBy, name }) =>
      ownedBy?.as === "identity" ? [renameIdentitySql(root, schema, ownedBy.column, name)] : [],
    ),
    ...rootKeysSql(attach),
    ...attach.indexes.map(({ name }) => copyIndexSql(attach, name)),
  ].join(";\n");
}

function rootKeysSql({ schema, names, primary, key, keepsKey, narrow }: Attach): readonly string[] {
  const root = qualified(schema, names.root);
  const list = (columns: readonly string[]) => columns.map(ident).join(", ");
  return [
    ...(keepsKey
      ? []
      : [
          `ALTER TABLE ${root} ADD CONSTRAINT ${ident(rootName(primary.name))} PRIMARY KEY (${list(key)})`,
        ]),
    ...narrow.map(({ index, widened }) => {
      const name = ident(rootName(index.name));
      if (widened === null) return `CREATE INDEX ${name} ON ${root} ${restOf(index)}`;
      return index.constraint === null
        ? `CREATE UNIQUE INDEX ${name} ON ${root} (${list(widened)})`
        : `ALTER TABLE ${root} ADD CONSTRAINT ${name} UNIQUE (${list(widened)})`;
    }),
  ];
}

/** What follows the table in the definition of an index, as PostgreSQL prints it: it quotes names only where it has to. */
export function restOf({ definition, unique, name, schema, table }: IndexFact): string {
  const quoted = (text: string) => [text, ident(text)];
  for (const index of quoted(name))
    for (const space of quoted(schema))
      for (const own of quoted(table)) {
        const head = `CREATE ${unique ? "UNIQUE " : ""}INDEX ${index} ON ${space}.${own} `;
        if (definition.startsWith(head)) return definition.slice(head.length);
      }
  throw new UnderpinError({
    code: "invalidInput",
    message: `the definition of the index ${name} is not understood: ${definition}`,
    hint: "Please report it with the version of the server.",
  });
}

/** What default privileges gave. */
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

function renameIdentitySql(root: string, schema: string, column: string, sequence: string): string {
  return `DO ${literal(`
BEGIN
  EXECUTE pg_catalog.format('ALTER SEQUENCE %s RENAME TO %I',
    pg_catalog.pg_get_serial_sequence(${literal(root)}, ${literal(column)}), ${literal(rootName(sequence))});
END`)}`;
}

/** An index as PostgreSQL prints it, on the root and under another name; with its constraint, if it has one. */
function copyIndexSql({ schema, table, names }: Attach, name: string): string {
  const root = literal(qualified(schema, names.root));
  return `DO ${literal(`
DECLARE
  v_index oid := ${literal(qualified(schema, name))}::regclass;
  v_constraint oid;
  v_rest text;
  v_unique text;
BEGIN
  SELECT k.oid INTO v_constraint FROM pg_catalog.pg_constraint AS k WHERE k.conindid = v_index AND k.contype IN ('p', 'u', 'x');
  IF v_constraint IS NOT NULL THEN
    EXECUTE pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', ${root}, ${literal(rootName(name))},
      pg_catalog.pg_get_constraintdef(v_constraint));
  ELSE
    SELECT CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END INTO v_unique FROM pg_catalog.pg_index AS i WHERE i.indexrelid = v_index;
    v_rest := pg_catalog.pg_get_indexdef(v_index);
    v_rest := pg_catalog.substr(v_rest, 1 + pg_catalog.length(
      pg_catalog.format('CREATE %sINDEX %I ON %I.%I ', v_unique, ${literal(name)}, ${literal(schema)}, ${literal(table.name)})));
    EXECUTE pg_catalog.format('CREATE %sINDEX %I ON %s %s', v_unique, ${literal(rootName(name))}, ${root}, v_rest);
  END IF;
END`)}`;
}
