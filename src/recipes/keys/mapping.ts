import type { Lock, SqlStep } from "../../plan/step.ts";
import { dollarQuoted } from "../../sql/dollar-quoted.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { uuidV7FunctionSql } from "./new-keys.ts";
import { MAPPING, type Conversion, type KeyStrategy } from "./conversion.ts";

/** The functions of a mapping, with their arguments. */
const FUNCTIONS: readonly (readonly [name: string, types: string])[] = [
  ["underpin_resolve_id", "text, uuid"],
  ["underpin_resolve_uuid", "text, bigint"],
  ["underpin_reserve_key", "text, bigint, uuid"],
  ["underpin_remember_key", "text, bigint, uuid"],
  ["underpin_make_key", "text, bigint"],
  ["underpin_id_of_key", "text, text, uuid"],
  ["underpin_key_of", "text, text, bigint"],
  ["underpin_id_of", "text, uuid"],
  ["underpin_uuid_of", "text, bigint"],
  ["underpin_uuid_v7", ""],
];

/**
 * Makes the mapping and its functions, where they are not there from another conversion in the same schema.
 *
 * Nobody but its owner reads or writes the mapping, and it has no row security: what a trigger looks up in it is never hidden.
 */
export function mappingSteps(
  { facts, schema, keys, strategy }: Conversion,
  namespace: string,
  resolvers: readonly string[],
): readonly SqlStep[] {
  const isThere = facts.tables.some((each) => each.schema === schema && each.name === MAPPING);
  if (isThere || keys.length === 0) return [];
  const table = qualified(schema, MAPPING);
  const lock = (name: string): Lock => ({ schema, name, mode: "accessExclusive" });
  return [
    {
      kind: "sql",
      id: "mapping",
      title: `Make ${MAPPING}, which holds the keys that are not derived from their integer`,
      sql: [
        `CREATE TABLE ${table} (
  table_name text NOT NULL,
  old_id bigint NOT NULL,
  new_id uuid NOT NULL,
  migrated_at timestamp with time zone NOT NULL DEFAULT pg_catalog.now(),
  CONSTRAINT ${ident(`${MAPPING}_pkey`)} PRIMARY KEY (table_name, old_id),
  CONSTRAINT ${ident(`${MAPPING}_new_id_key`)} UNIQUE (table_name, new_id))`,
        `REVOKE ALL ON TABLE ${table} FROM PUBLIC`,
        ...functionsSql(schema, namespace, strategy),
        // A default is evaluated with the rights of who inserts.
        ...FUNCTIONS.filter(([name]) => name !== "underpin_uuid_v7").map(
          ([name, types]) =>
            `REVOKE ALL ON FUNCTION ${qualified(schema, name)}(${types}) FROM PUBLIC`,
        ),
        ...resolvers.flatMap((role) =>
          FUNCTIONS.slice(0, 2).map(
            ([name, types]) =>
              `GRANT EXECUTE ON FUNCTION ${qualified(schema, name)}(${types}) TO ${ident(role)}`,
          ),
        ),
      ].join(";\n"),
      locks: [],
      creates: 3,
      transaction: "commitAfter",
      undo: {
        kind: "statement",
        sql: [
          `DO ${dollarQuoted(stillUsed(schema))}`,
          ...FUNCTIONS.map(([name, types]) => `DROP FUNCTION ${qualified(schema, name)}(${types})`),
          `DROP TABLE ${table}`,
        ].join(";\n"),
        locks: [MAPPING, `${MAPPING}_pkey`, `${MAPPING}_new_id_key`].map(lock),
        transaction: "inside",
        residue:
          "the UUIDs that new versions of the application gave rows themselves are forgotten: a later conversion derives others",
      },
    },
  ];
}

/** No dependency in the catalog tells that a trigger reads the mapping. */
function stillUsed(schema: string): string {
  return `
DECLARE
  v_user text;
BEGIN
  SELECT p.oid::pg_catalog.regprocedure::text INTO v_user FROM pg_catalog.pg_proc p
    WHERE p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype
      AND pg_catalog.strpos(p.prosrc, ${literal(qualified(schema, "underpin_key_of"))}) > 0 LIMIT 1;
  IF v_user IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist', MESSAGE = pg_catalog.format('%s still reads the mapping', v_user),
      HINT = 'Undo or finish the other conversion of keys first.';
  END IF;
END`;
}

function functionsSql(schema: string, namespace: string, strategy: KeyStrategy): readonly string[] {
  const own = (name: string) => qualified(schema, name);
  const table = own(MAPPING);
  const derived = (sql: string) => (strategy === "derived" ? sql : "NULL");
  const pinned = "SET search_path = pg_catalog, pg_temp";
  // What the mapping calls a table of its own schema has no schema before it.
  const space = `${literal(namespace)} || CASE WHEN pg_catalog.strpos(of_table, '.') = 0 THEN ${literal(`${schema}.`)} || of_table ELSE of_table END`;
  return [
    uuidV7FunctionSql(schema),
    // Without SET, so that it can be put into the query that uses it.
    `CREATE FUNCTION ${own("underpin_uuid_of")}(namespace text, id bigint) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS ${dollarQuoted(`
SELECT (pg_catalog.substr(b.hex, 1, 12) || '8' || pg_catalog.substr(b.hex, 13, 3) || '8' || pg_catalog.substr(b.hex, 16, 1)
  || pg_catalog.substr(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(namespace || ':' || id::text, 'UTF8')), 'hex'), 1, 14))::uuid
FROM (SELECT pg_catalog.lpad(pg_catalog.to_hex(id), 16, '0') AS hex) AS b`)}`,
    `CREATE FUNCTION ${own("underpin_id_of")}(namespace text, key uuid) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS ${dollarQuoted(`
SELECT i.id FROM (SELECT pg_catalog.replace(key::text, '-', '') AS hex) AS h
CROSS JOIN LATERAL (SELECT ('x' || pg_catalog.substr(h.hex, 1, 12) || pg_catalog.substr(h.hex, 14, 3)
  || pg_catalog.substr(h.hex, 18, 1))::bit(64)::bigint AS id) AS i
WHERE ${own("underpin_uuid_of")}(namespace, i.id) = key`)}`,
    // Volatile: each call reads with a snapshot of its own.
    `CREATE FUNCTION ${own("underpin_key_of")}(of_table text, namespace text, id bigint) RETURNS uuid LANGUAGE sql VOLATILE STRICT ${pinned} AS ${dollarQuoted(`
SELECT coalesce((SELECT m.new_id FROM ${table} AS m WHERE m.table_name = of_table AND m.old_id = id),
  ${own("underpin_uuid_of")}(namespace, id))`)}`,
    `CREATE FUNCTION ${own("underpin_id_of_key")}(of_table text, namespace text, key uuid) RETURNS bigint LANGUAGE sql VOLATILE STRICT ${pinned} AS ${dollarQuoted(`
SELECT coalesce((SELECT m.old_id FROM ${table} AS m WHERE m.table_name = of_table AND m.new_id = key),
  (SELECT d.id FROM (SELECT ${own("underpin_id_of")}(namespace, key) AS id) AS d
   WHERE NOT EXISTS (SELECT FROM ${table} AS m WHERE m.table_name = of_table AND m.old_id = d.id)))`)}`,
    `CREATE FUNCTION ${own("underpin_make_key")}(of_table text, id bigint) RETURNS uuid LANGUAGE plpgsql VOLATILE STRICT ${pinned} AS ${dollarQuoted(`
DECLARE
  v_key uuid;
BEGIN
  LOOP
    SELECT m.new_id INTO v_key FROM ${table} AS m WHERE m.table_name = of_table AND m.old_id = id;
    EXIT WHEN FOUND;
    -- Who began before a key was given and cannot see it (REPEATABLE READ) fails here with 40001, and tries again.
    INSERT INTO ${table} (table_name, old_id, new_id) VALUES (of_table, id, pg_catalog.gen_random_uuid())
      ON CONFLICT DO NOTHING RETURNING new_id INTO v_key;
    EXIT WHEN FOUND;
  END LOOP;
  RETURN v_key;
END`)}`,
    `CREATE FUNCTION ${own("underpin_remember_key")}(of_table text, id bigint, key uuid) RETURNS void LANGUAGE sql VOLATILE STRICT ${pinned} AS ${dollarQuoted(`
INSERT INTO ${table} AS m (table_name, old_id, new_id) VALUES (of_table, id, key)
  ON CONFLICT (table_name, old_id) DO UPDATE SET new_id = EXCLUDED.new_id, migrated_at = pg_catalog.now()`)}`,
    `CREATE FUNCTION ${own("underpin_reserve_key")}(of_table text, id bigint, key uuid) RETURNS bigint LANGUAGE plpgsql VOLATILE STRICT ${pinned} AS ${dollarQuoted(`
DECLARE
  v_id bigint;
BEGIN
  INSERT INTO ${table} (table_name, old_id, new_id) VALUES (of_table, id, key)
    ON CONFLICT DO NOTHING RETURNING old_id INTO v_id;
  IF NOT FOUND THEN
    SELECT m.old_id INTO v_id FROM ${table} AS m WHERE m.table_name = of_table AND m.new_id = key;
  END IF;
  RETURN v_id;
END`)}`,
    `CREATE FUNCTION ${own("underpin_resolve_uuid")}(of_table text, id bigint) RETURNS uuid LANGUAGE sql STABLE STRICT SECURITY DEFINER ${pinned} AS ${dollarQuoted(`
SELECT coalesce((SELECT m.new_id FROM ${table} AS m WHERE m.table_name = of_table AND m.old_id = id),
  ${derived(`${own("underpin_uuid_of")}(${space}, id)`)})`)}`,
    `CREATE FUNCTION ${own("underpin_resolve_id")}(of_table text, key uuid) RETURNS bigint LANGUAGE sql STABLE STRICT SECURITY DEFINER ${pinned} AS ${dollarQuoted(`
SELECT coalesce((SELECT m.old_id FROM ${table} AS m WHERE m.table_name = of_table AND m.new_id = key),
  ${derived(`${own("underpin_id_of")}(${space}, key)`)})`)}`,
  ];
}
