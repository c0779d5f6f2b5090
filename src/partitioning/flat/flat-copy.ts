import { ident, literal, qualified } from "../../sql/quote.ts";
import type { Flat } from "./flat-of.ts";

/** Rows in one transaction of the copy. */
const COPY_ROWS = 5_000;

/** Copies leaf by leaf in the order of the key, a commit after each batch; what is there already stays. */
export function copyFlatSql({ schema, names, key, writable, leaves }: Flat): string {
  const plain = (text: string) => text.replaceAll("%", "%%");
  const keys = plain(key.map(({ name }) => `b.${ident(name)}`).join(", "));
  const list = plain(writable.map(ident).join(", "));
  const last = key.map((_, at) => `v_last_${at}`).join(", ");
  const next = key.map((_, at) => `v_next_${at}`).join(", ");
  const numbered = (from: number) => key.map((_, at) => `$${from + at}`).join(", ");
  const page = (after: string) =>
    `pg_catalog.format(${literal(`SELECT ${keys} FROM (SELECT ${keys} FROM ONLY %s AS b ${after} ORDER BY ${keys} LIMIT ${COPY_ROWS}) AS b
      ORDER BY ${plain(key.map(({ name }) => `b.${ident(name)} DESC`).join(", "))} LIMIT 1`)}, v_leaf)`;
  const put = (after: string, upTo: number) =>
    `pg_catalog.format(${literal(`INSERT INTO ${plain(qualified(schema, names.beside))} (${list}) OVERRIDING SYSTEM VALUE
      SELECT ${list} FROM ONLY %s AS b WHERE ${after}(${keys}) <= (${numbered(upTo)}) ON CONFLICT DO NOTHING`)}, v_leaf)`;
  const beyond = `(${keys}) > (${numbered(1)})`;
  const advance = key.map((_, at) => `v_last_${at} := v_next_${at};`).join(" ");
  const paths = leaves.map(({ name }) => literal(qualified(schema, name)));
  return `DO ${literal(`
DECLARE
  v_leaf text;
${key.map(({ type }, at) => `  v_last_${at} ${type};\n  v_next_${at} ${type};`).join("\n")}
BEGIN
  FOREACH v_leaf IN ARRAY ARRAY[${paths.join(", ")}]::text[] LOOP
    EXECUTE ${page("")} INTO ${next};
    CONTINUE WHEN v_next_0 IS NULL;
    EXECUTE ${put("", 1)} USING ${next};
    COMMIT;
    ${advance}
    LOOP
      EXECUTE ${page(`WHERE ${beyond}`)} INTO ${next} USING ${last};
      EXIT WHEN v_next_0 IS NULL;
      EXECUTE ${put(`${beyond} AND `, key.length + 1)} USING ${last}, ${next};
      COMMIT;
      ${advance}
    END LOOP;
  END LOOP;
  COMMENT ON TABLE ${qualified(schema, names.log)} IS 'copied';
END`)}`;
}

/** Whether the copy came to its end. */
export function copiedFlatSql({ schema, names }: Flat): string {
  const log = literal(qualified(schema, names.log));
  return `SELECT CASE WHEN pg_catalog.obj_description(pg_catalog.to_regclass(${log}), 'pg_class') = 'copied' THEN 'done' ELSE 'absent' END AS state`;
}

/** A difference between some leaves and the part of the plain table that they are, but for keys in the log, in one snapshot. */
export function flatDifferenceSql(
  { schema, names, key, writable }: Flat,
  leaves: Flat["leaves"],
): string {
  const list = writable.map((column) => `b.${ident(column)}`).join(", ");
  const logged = key.map(({ name }) => `b.${ident(name)} = w.${ident(name)}`).join(" AND ");
  const side = (from: string) =>
    `(SELECT pg_catalog.count(*) AS rows, coalesce(pg_catalog.sum(pg_catalog.hashtextextended(ROW(${list})::text, 0)::numeric), 0) AS hash
 FROM (${from}) AS b WHERE NOT EXISTS (SELECT FROM ${qualified(schema, names.log)} AS w WHERE ${logged}))`;
  const columns = writable.map(ident).join(", ");
  const seen = leaves
    .map(({ name }) => `SELECT ${columns} FROM ONLY ${qualified(schema, name)}`)
    .join(" UNION ALL ");
  const copied = `SELECT ${columns} FROM ${qualified(schema, names.beside)} WHERE ${leaves.map(({ condition }) => `(${condition})`).join(" OR ")}`;
  return `SELECT seen.rows AS seen, copied.rows AS copied
FROM ${side(seen)} AS seen, ${side(copied)} AS copied
WHERE (seen.rows, seen.hash) IS DISTINCT FROM (copied.rows, copied.hash)`;
}
