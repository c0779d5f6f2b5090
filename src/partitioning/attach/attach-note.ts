import { partitionSql } from "../../definition/emit/table.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { scaleOf, wordsOf } from "../range-scale.ts";
import type { Attach } from "./attach-of.ts";
import { closeSql } from "./attach-prepare.ts";
import { lockSql, PRINTED } from "./attach-sql.ts";

/** The type of what is noted: a value of the list, or the end of the interval in which a row lies. */
export function notedType({ scheme, dimension, column }: Attach): string {
  return dimension.strategy === "list" ? column.type : scaleOf(scheme, dimension).type;
}

/** What is noted of a row, from an expression of its column. */
export function notedSql({ scheme, dimension }: Attach, column: string): string {
  if (dimension.strategy === "list") return column;
  const { floor, after, read, lengthType } = scaleOf(scheme, dimension);
  const { unit, length } = wordsOf(dimension.every);
  const long = `${literal(length).trim()}::${lengthType}`;
  return after(floor(read(`${column}::text`), literal(unit).trim(), long), "1", long);
}

/** What is noted before any row was looked at: given values, or the end of the present interval. */
function firstNoted(attach: Attach): readonly string[] {
  const { dimension, values, until, scheme } = attach;
  if (dimension.strategy === "list")
    return values.map((value) => `${literal(value).trim()}::${attach.column.type}`);
  if (until !== null) return [`${literal(until).trim()}::${notedType(attach)}`];
  if (typeof dimension.every !== "string") return [];
  const { floor, after, lengthType } = scaleOf(scheme, dimension);
  const { unit, length } = wordsOf(dimension.every);
  const long = `${literal(length).trim()}::${lengthType}`;
  return [after(floor("pg_catalog.now()", literal(unit).trim(), long), "1", long)];
}

/** Is there nothing noted that takes this? */
function isNew({ dimension }: Attach, noted: string, values: string): string {
  return dimension.strategy === "list"
    ? `NOT EXISTS (SELECT FROM ${values} AS v WHERE v.value = ${noted})`
    : `NOT EXISTS (SELECT FROM ${values} AS v WHERE v.value >= ${noted})`;
}

/**
 * From here on each row's value is noted when it is new. The lock of CREATE TRIGGER waits for all who are writing: what they wrote is seen by
 * {@link readSql}, and what comes after is noted.
 *
 * Two writers of one new value both note it: nobody waits for the other.
 */
export function watchSql(attach: Attach): string {
  const { schema, table, names, column, dimension } = attach;
  const values = qualified(schema, names.values);
  const own = ident(column.name);
  const noted = notedSql(attach, `NEW.${own}`);
  const first = firstNoted(attach);
  const collation = column.collation === null ? "" : ` COLLATE ${column.collation}`;
  return [
    PRINTED,
    lockSql(schema, [table.name], "SHARE ROW EXCLUSIVE"),
    `CREATE TABLE ${values} (value ${notedType(attach)})`,
    `ALTER TABLE ${values} OWNER TO ${ident(table.owner)}`,
    `ALTER TABLE ${values} ENABLE ROW LEVEL SECURITY`,
    closeSql(values),
    `CREATE TABLE ${qualified(schema, names.cut)} (${own} ${column.type}${collation} NOT NULL) ${partitionSql(dimension)}`,
    `ALTER TABLE ${qualified(schema, names.cut)} OWNER TO ${ident(table.owner)}`,
    closeSql(qualified(schema, names.cut)),
    ...(first.length === 0
      ? []
      : [`INSERT INTO ${values} VALUES ${first.map((each) => `(${each})`).join(", ")}`]),
    `CREATE FUNCTION ${qualified(schema, names.note)}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' SET timezone = 'UTC' AS ${literal(`
DECLARE
  v_noted ${notedType(attach)} := ${noted};
BEGIN
  IF ${isNew(attach, "v_noted", values)} THEN
    INSERT INTO ${values} VALUES (v_noted);
  END IF;
  RETURN NULL;
END`)}`,
    `ALTER FUNCTION ${qualified(schema, names.note)}() OWNER TO ${ident(table.owner)}`,
    `REVOKE ALL ON FUNCTION ${qualified(schema, names.note)}() FROM PUBLIC`,
    noteTriggersSql(attach),
  ].join(";\n");
}

/** The triggers alone. */
export function noteTriggersSql({ schema, table, names, column }: Attach): string {
  const path = qualified(schema, table.name);
  const own = ident(column.name);
  const note = `EXECUTE FUNCTION ${qualified(schema, names.note)}()`;
  const changed = ident(`${names.trigger}_changed`);
  return [
    `CREATE TRIGGER ${ident(names.trigger)} AFTER INSERT ON ${path} FOR EACH ROW ${note}`,
    `CREATE TRIGGER ${changed} AFTER UPDATE ON ${path} FOR EACH ROW WHEN (OLD.${own} IS DISTINCT FROM NEW.${own}) ${note}`,
    // Also for what a subscription applies.
    `ALTER TABLE ${path} ENABLE ALWAYS TRIGGER ${ident(names.trigger)}`,
    `ALTER TABLE ${path} ENABLE ALWAYS TRIGGER ${changed}`,
  ].join(";\n");
}

/** Takes the triggers of {@link watchSql} away. */
export function unwatchSql({ schema, names }: Attach, table: string): string {
  return [names.trigger, `${names.trigger}_changed`]
    .map((trigger) => `DROP TRIGGER IF EXISTS ${ident(trigger)} ON ${qualified(schema, table)}`)
    .join(";\n");
}

/** Notes what the rows have that are there: from value to value where an index leads with the column, else by reading them all. */
export function readSql(attach: Attach): string {
  const { schema, table, names, column, dimension } = attach;
  const values = qualified(schema, names.values);
  const path = qualified(schema, table.name);
  const own = ident(column.name);
  if (dimension.strategy === "range")
    return `${PRINTED};
INSERT INTO ${values} SELECT n.noted FROM (SELECT ${notedSql(attach, "m.last")} AS noted
  FROM (SELECT pg_catalog.max(b.${own}) AS last FROM ${path} AS b) AS m WHERE m.last IS NOT NULL) AS n
WHERE ${isNew(attach, "n.noted", values)}`;
  const leads =
    attach.key[0] === column.name ||
    attach.indexes.some((each) => each.method === "btree" && each.keys[0]?.column === column.name);
  const found = leads
    ? `WITH RECURSIVE loose (value) AS (
  (SELECT b.${own} FROM ${path} AS b ORDER BY b.${own} LIMIT 1)
  UNION ALL
  SELECT (SELECT b.${own} FROM ${path} AS b WHERE b.${own} > l.value ORDER BY b.${own} LIMIT 1) FROM loose AS l WHERE l.value IS NOT NULL
) SELECT l.value FROM loose AS l WHERE l.value IS NOT NULL`
    : `SELECT DISTINCT b.${own} FROM ${path} AS b`;
  return `INSERT INTO ${values}
(${found}) EXCEPT SELECT v.value FROM ${values} AS v`;
}

/**
 * A row of the partition that is not within what was noted: what ATTACH was told, looked at again without a lock that anybody waits for.
 * Through the root, whose policies say who sees all rows.
 */
export function outsideSql(attach: Attach): string {
  const { schema, table, names, column, dimension } = attach;
  const values = qualified(schema, names.values);
  const own = ident(column.name);
  const beyond =
    dimension.strategy === "list"
      ? `NOT EXISTS (SELECT FROM ${values} AS v WHERE v.value = b.${own})`
      : `${notedSql(attach, `b.${own}`)} > (SELECT pg_catalog.max(v.value) FROM ${values} AS v)`;
  return `SELECT b.${own} AS value FROM ${qualified(schema, table.name)} AS b
WHERE b.tableoid = ${literal(qualified(schema, names.legacy))}::regclass AND ${beyond}`;
}
