import { getTableConfig } from "drizzle-orm/pg-core";
import type { Scheme } from "../definition/scheme.ts";
import { pgFunction, type FunctionObject } from "../objects/pg-function.ts";
import { ident, literal } from "../sql/quote.ts";
import { namesOf } from "./provision-names.ts";

/**
 * The function that names a partition: stem and tail where that is 63 bytes or less and free, else the stem cut, with a stable hash of the key.
 *
 * What is in its name nobody reads again: its bounds say what it holds.
 */
export function namePartition(scheme: Scheme): FunctionObject {
  const { schema, name } = namesOf(scheme);
  const relation = `pg_catalog.format('%I.%I', ${literal(schema)}, v_name)`;
  return pgFunction({
    schema,
    name,
    arguments: [
      { name: "p_key", type: "text" },
      { name: "p_stem", type: "text" },
      { name: "p_tail", type: "text" },
    ],
    returns: "text",
    language: "plpgsql",
    volatility: "stable",
    comment: "A name for a partition that is free. Its bounds, not its name, say what it holds.",
    // A table is a type too: neither may be there under the name.
    body: `
DECLARE
  v_name text := p_stem || p_tail;
  v_hash text;
BEGIN
  FOR v_try IN 0 .. 9 LOOP
    EXIT WHEN pg_catalog.octet_length(v_name) <= 63
      AND pg_catalog.to_regclass(${relation}) IS NULL AND pg_catalog.to_regtype(${relation}) IS NULL;
    v_hash := pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
      p_key || CASE v_try WHEN 0 THEN '' ELSE '#' || v_try END, 'UTF8')), 'hex'), 8);
    -- By character: a cut inside one is not a name.
    SELECT pg_catalog.left(p_stem, pg_catalog.max(n)) || '_' || v_hash || p_tail INTO v_name
    FROM pg_catalog.generate_series(1, pg_catalog.length(p_stem)) AS n
    WHERE pg_catalog.octet_length(pg_catalog.left(p_stem, n)) <= 54 - pg_catalog.octet_length(p_tail);
  END LOOP;
  RETURN v_name;
END`,
  });
}

/**
 * The function that makes one table that is, or becomes, a partition.
 *
 * A partition of a reachable table is made by LIKE, detached, and attached by the caller once all below it is there: CREATE …
 * PARTITION OF would take ACCESS EXCLUSIVE on the parent, ATTACH takes SHARE UPDATE EXCLUSIVE (15 and 18). It carries no foreign key:
 * with one, ATTACH would take ACCESS EXCLUSIVE on the referenced tables. Below a detached table PARTITION OF is right:
 * nobody can reach it.
 */
export function makePartition(
  scheme: Scheme,
  { forced = true, options = [] }: MakePartitionOptions = {},
): FunctionObject {
  const { schema, make } = namesOf(scheme);
  const { enableRLS, policies } = getTableConfig(scheme.table);
  return pgFunction({
    schema,
    name: make,
    arguments: [
      { name: "p_parent", type: "regclass" },
      { name: "p_name", type: "text" },
      { name: "p_bound", type: "text" },
      { name: "p_split", type: "text" },
      { name: "p_detached", type: "boolean" },
    ],
    returns: "regclass",
    language: "plpgsql",
    volatility: "volatile",
    comment: "Makes one partition under a name that is free.",
    body: bodyOf(
      schema,
      `${enableRLS || policies.length > 0 ? closeSql(forced) : ""}${optionsSql(options)}`,
    ),
  });
}

/** What is said of the partitions beside what the scheme says. */
export interface MakePartitionOptions {
  /** Whether row security binds the owner of a partition too, where the scheme has any. @default true */
  readonly forced?: boolean;
  /** Storage parameters of leaves as `name=value`. @default none */
  readonly options?: readonly string[];
}

// A row of a partition is reached through the root, where the policies are; the partition itself is closed to everybody, its
// owner included, and holds no privilege, whatever the default privileges of its schema are.
function closeSql(forced: boolean): string {
  return `
  EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY${forced ? ", FORCE ROW LEVEL SECURITY" : ""}', v_made);`;
}

function optionsSql(options: readonly string[]): string {
  if (options.length === 0) return "";
  const list = options.map((option) => {
    const [key = "", ...value] = option.split("=");
    return `${key.split(".").map(ident).join(".")} = ${literal(value.join("=")).trim()}`;
  });
  return `
  IF p_split = '' THEN
    EXECUTE pg_catalog.format('ALTER TABLE %s SET (' || ${literal(list.join(", ").replaceAll("%", "%%"))} || ')', v_made);
  END IF;`;
}

function bodyOf(schema: string, close: string): string {
  const space = literal(schema);
  return `
DECLARE
  v_made regclass;
  v_owner oid;
  v_grantee oid;
  v_trigger record;
BEGIN
  IF p_detached THEN
    EXECUTE pg_catalog.format(
      'CREATE TABLE %I.%I (LIKE %s INCLUDING ALL EXCLUDING IDENTITY EXCLUDING COMMENTS EXCLUDING STATISTICS) %s',
      ${space}, p_name, p_parent, p_split);
  ELSE
    EXECUTE pg_catalog.format('CREATE TABLE %I.%I PARTITION OF %s %s %s', ${space}, p_name, p_parent, p_bound, p_split);
  END IF;
  v_made := pg_catalog.format('%I.%I', ${space}, p_name)::regclass;${close}
  SELECT relowner INTO v_owner FROM pg_catalog.pg_class WHERE oid = p_parent;
  IF v_owner <> (SELECT relowner FROM pg_catalog.pg_class WHERE oid = v_made) THEN
    EXECUTE pg_catalog.format('ALTER TABLE %s OWNER TO %s', v_made, v_owner::regrole);
  END IF;
  FOR v_grantee IN
    SELECT DISTINCT a.grantee
    FROM pg_catalog.pg_class AS c, pg_catalog.aclexplode(c.relacl) AS a
    WHERE c.oid = v_made AND a.grantee <> v_owner
  LOOP
    EXECUTE pg_catalog.format('REVOKE ALL ON TABLE %s FROM %s', v_made,
      CASE v_grantee WHEN 0 THEN 'PUBLIC' ELSE v_grantee::regrole::text END);
  END LOOP;
  -- A trigger of statements is not cloned, and TRUNCATE of a partition by its name would pass that of the root.
  FOR v_trigger IN
    SELECT t.tgname, t.tgfoid::regproc AS function, CASE WHEN t.tgtype & 2 > 0 THEN 'BEFORE' ELSE 'AFTER' END AS timing
    FROM pg_catalog.pg_trigger AS t
    WHERE t.tgrelid = p_parent AND NOT t.tgisinternal AND t.tgtype & 33 = 32 AND t.tgnargs = 0
  LOOP
    EXECUTE pg_catalog.format('CREATE TRIGGER %I %s TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION %s()',
      v_trigger.tgname, v_trigger.timing, v_made, v_trigger.function);
  END LOOP;
  RETURN v_made;
END`;
}
