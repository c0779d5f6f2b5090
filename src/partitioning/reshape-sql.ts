import type { PolicyFact } from "../catalog/policies.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { policySql } from "./policy-sql.ts";

/** Leaves of one parent that are replaced by others, and the tables that keep both sides alike meanwhile. All are in one schema. */
export interface Reshape {
  readonly schema: string;
  readonly parent: string;
  /** `RANGE (at)`, as PostgreSQL prints the parent's key. */
  readonly partitionBy: string;
  /** The function that makes a partition of the scheme. */
  readonly make: string;
  readonly old: readonly Leaf[];
  readonly new: readonly Leaf[];
  /** Columns that can be written. */
  readonly columns: readonly string[];
  readonly key: readonly { readonly name: string; readonly type: string }[];
  /** Those of the first of the old leaves, which the new ones get too. */
  readonly policies: readonly PolicyFact[];
  readonly names: ReshapeNames;
}

/** A leaf with its bound as SQL. */
export interface Leaf {
  readonly name: string;
  readonly bound: string;
}

/** What is made beside a reshape. */
export interface ReshapeNames {
  /** A partitioned table whose partitions are the leaves that no query of the parent sees. */
  readonly aside: string;
  /** The keys of rows that changed in the leaves that queries see. */
  readonly log: string;
  /** The keys that are being worked off. */
  readonly work: string;
  readonly sync: string;
  readonly check: string;
}

/** Entries of the log in one transaction. */
const LOG_ROWS = 2_000;
/** With fewer entries than this the swap may begin. */
const FEW = 200;

const TRIGGER = "zz_underpin_reshape";

/**
 * Keeps writers of the leaves out, or readers too. They take the parent's lock before that of a leaf, so that who holds it waits for no
 * leaf of which the holder waits for another.
 *
 * An application's transaction may hold what we ask for next, and wait for what we have. We give up before the server's
 * `deadlock_timeout` (1 s by default) lets it be the victim, and try again.
 */
function lockSql({ schema, parent }: Reshape, leaves: readonly Leaf[], mode: string): string {
  const tables = [parent, ...leaves.map(({ name }) => name)].map(pathIn(schema));
  return `SELECT pg_catalog.set_config('lock_timeout', '400ms', true);\nLOCK TABLE ONLY ${tables.join(", ONLY ")} IN ${mode} MODE`;
}

/** Bounds are read up to the root, under ACCESS SHARE, unless the session has them still: so what is above is locked always. */
export function lockAboveSql(schema: string, above: readonly string[]): string {
  if (above.length === 0) return "";
  return `LOCK TABLE ONLY ${above.map(pathIn(schema)).join(", ONLY ")} IN ACCESS SHARE MODE;\n`;
}

/**
 * Makes the new leaves, empty and aside, and begins to log the keys of rows that change in the old.
 *
 * The log holds keys alone: a trigger that changed the copy would, for a REPEATABLE READ writer, not see what is newer than its
 * snapshot (15 and 18).
 */
export function prepareSql(reshape: Reshape, above: readonly string[]): string {
  const { schema, parent, partitionBy, make, key, policies, names } = reshape;
  const path = pathIn(schema);
  const columns = key.map(({ name, type }) => `${ident(name)} ${type}`).join(", ");
  const close = (name: string) =>
    `ALTER TABLE ${path(name)} ENABLE ROW LEVEL SECURITY;\nREVOKE ALL ON TABLE ${path(name)} FROM PUBLIC`;
  const of = (row: "OLD" | "NEW") => key.map(({ name }) => `${row}.${ident(name)}`).join(", ");
  return [
    `${lockAboveSql(schema, above)}CREATE TABLE ${path(names.aside)} (LIKE ${path(parent)}) PARTITION BY ${partitionBy}`,
    close(names.aside),
    ...reshape.new.flatMap(({ name, bound }) => [
      `SELECT ${path(make)}(${literal(path(parent))}::regclass, ${literal(name)}, ${literal(bound)}, '', true)`,
      `ALTER TABLE ${path(names.aside)} ATTACH PARTITION ${path(name)} ${bound}`,
      checkSql(reshape, name, path(parent), false),
      ...policies.map((policy) => policySql(policy, path(name))),
    ]),
    `CREATE TABLE ${path(names.log)} (${columns})`,
    close(names.log),
    `CREATE TABLE ${path(names.work)} (${columns})`,
    close(names.work),
    `CREATE FUNCTION ${path(names.sync)}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS ${literal(`
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    -- An entry without a key: everything may be gone.
    INSERT INTO ${path(names.log)} DEFAULT VALUES;
    RETURN NULL;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    INSERT INTO ${path(names.log)} VALUES (${of("OLD")});
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO ${path(names.log)} VALUES (${of("NEW")});
  END IF;
  RETURN NULL;
END`)}`,
    `REVOKE ALL ON FUNCTION ${path(names.sync)}() FROM PUBLIC`,
    lockSql(reshape, reshape.old, "SHARE ROW EXCLUSIVE"),
    watchSql(reshape, reshape.old),
  ].join(";\n");
}

/** Logs what changes in these leaves. */
function watchSql({ schema, names }: Reshape, leaves: readonly Leaf[]): string {
  const path = pathIn(schema);
  return leaves
    .flatMap(({ name }) =>
      [
        [TRIGGER, "INSERT OR UPDATE OR DELETE", "ROW"],
        [`${TRIGGER}_truncate`, "TRUNCATE", "STATEMENT"],
      ].flatMap(([trigger = "", events = "", each = ""]) => [
        `CREATE TRIGGER ${ident(trigger)} AFTER ${events} ON ${path(name)} FOR EACH ${each} EXECUTE FUNCTION ${path(names.sync)}()`,
        // Also for what a subscription applies.
        `ALTER TABLE ${path(name)} ENABLE ALWAYS TRIGGER ${ident(trigger)}`,
      ]),
    )
    .join(";\n");
}

function unwatchSql({ schema }: Reshape, leaves: readonly Leaf[]): string {
  return leaves
    .flatMap(({ name }) =>
      [TRIGGER, `${TRIGGER}_truncate`].map(
        (trigger) => `DROP TRIGGER ${ident(trigger)} ON ${pathIn(schema)(name)}`,
      ),
    )
    .join(";\n");
}

/** Takes back {@link prepareSql}. */
export function unprepareSql(reshape: Reshape): string {
  return [
    lockSql(reshape, reshape.old, "ACCESS EXCLUSIVE"),
    unwatchSql(reshape, reshape.old),
    dropAsideSql(reshape),
  ].join(";\n");
}

/** Drops what was made aside, whichever leaves are there now. */
export function dropAsideSql({ schema, names }: Pick<Reshape, "schema" | "names">): string {
  const path = pathIn(schema);
  return [
    `DROP FUNCTION ${path(names.sync)}() CASCADE`,
    ...[names.aside, names.log, names.work].map((name) => `DROP TABLE ${path(name)}`),
  ].join(";\n");
}

/**
 * A CHECK that says of a leaf what its bound below `parent` will say, so that ATTACH need not look at its rows.
 * `name` is a partition, of the parent or aside.
 */
export function checkSql(
  { schema, names }: Pick<Reshape, "schema" | "names">,
  name: string,
  parent: string | null,
  notValid: boolean,
): string {
  const table = pathIn(schema)(name);
  const above =
    parent === null
      ? "NULL"
      : `pg_catalog.pg_get_partition_constraintdef(${literal(parent)}::regclass)`;
  return `DO ${literal(`
BEGIN
  EXECUTE pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I CHECK (%s) ${notValid ? "NOT VALID" : ""}',
    ${literal(table)}, ${literal(names.check)}, pg_catalog.concat_ws(' AND ',
      ${above}, pg_catalog.pg_get_partition_constraintdef(${literal(table)}::regclass)));
END`)}`;
}

/**
 * Works off the log: what is aside becomes as `seen` is now, key by key. All that changes later has an entry of its own. With `commits` it
 * stops when few are left; else, under the lock of the swap, when none is.
 */
export function catchUpSql(reshape: Reshape, seen: readonly Leaf[], commits: boolean): string {
  const { schema, columns, key, names } = reshape;
  const path = pathIn(schema);
  const list = columns.map(ident).join(", ");
  const keys = key.map(({ name }) => ident(name)).join(", ");
  const on = (a: string) =>
    key.map(({ name }) => `${a}.${ident(name)} = w.${ident(name)}`).join(" AND ");
  const first = ident(key[0]?.name ?? "");
  const [log, work, aside] = [path(names.log), path(names.work), path(names.aside)];
  return `DO ${literal(`
DECLARE
  v_count bigint;
  v_limit bigint := ${LOG_ROWS};
BEGIN
  LOOP
    -- The tables are new and have no statistics: each row is found by its key.
    PERFORM pg_catalog.set_config('enable_seqscan', 'off', true);
    BEGIN
      IF EXISTS (SELECT FROM ${log} WHERE ${first} IS NULL) THEN
        DELETE FROM ${log} WHERE ${first} IS NULL;
        INSERT INTO ${log} SELECT ${keys} FROM ${aside};
      END IF;
      WITH taken AS (
        DELETE FROM ${log} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${log} WHERE ${first} IS NOT NULL LIMIT v_limit))
        RETURNING ${keys}
      ) INSERT INTO ${work} SELECT DISTINCT ${keys} FROM taken;
      GET DIAGNOSTICS v_count = ROW_COUNT;
      DELETE FROM ${aside} AS b USING ${work} AS w WHERE ${on("b")};
${seen
  .map(
    ({ name }) =>
      `      INSERT INTO ${aside} (${list}) SELECT ${columns.map((column) => `b.${ident(column)}`).join(", ")} FROM ONLY ${path(name)} AS b JOIN ${work} AS w ON ${on("b")};`,
  )
  .join("\n")}
      DELETE FROM ${work};
    EXCEPTION WHEN unique_violation THEN
      -- A value moved from one row to another, and the other's entry is not in this batch: take all at once.
      IF v_limit IS NULL THEN
        RAISE;
      END IF;
      v_limit := NULL;
      CONTINUE;
    END;
    ${commits ? `COMMIT;\n    EXIT WHEN v_count < ${FEW};` : "EXIT WHEN v_count = 0;"}
  END LOOP;
END`)}`;
}

/** Puts the leaves `to` in the place of `from`; those go aside, and are kept like them. No row is looked at: a CHECK says what each holds. */
export function swapSql(
  reshape: Reshape,
  above: readonly string[],
  from: readonly Leaf[],
  to: readonly Leaf[],
): string {
  const { schema, parent, names } = reshape;
  const path = pathIn(schema);
  const move = (leaves: readonly Leaf[], left: string, entered: string) => ({
    out: leaves.map(({ name }) => `ALTER TABLE ${path(left)} DETACH PARTITION ${path(name)}`),
    into: leaves.map(
      ({ name, bound }) => `ALTER TABLE ${path(entered)} ATTACH PARTITION ${path(name)} ${bound}`,
    ),
  });
  const [leaving, coming] = [move(from, parent, names.aside), move(to, names.aside, parent)];
  return [
    `${lockAboveSql(schema, above)}${lockSql(reshape, from, "ACCESS EXCLUSIVE")}`,
    catchUpSql(reshape, from, false),
    unwatchSql(reshape, from),
    ...leaving.out,
    ...coming.out,
    ...leaving.into,
    ...coming.into,
    watchSql(reshape, to),
  ].join(";\n");
}

/** Names of the reshape's schema, quoted. */
export function pathIn(schema: string): (name: string) => string {
  return (name) => qualified(schema, name);
}
