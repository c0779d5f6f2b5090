import { ident, literal } from "../sql/quote.ts";
import { pathIn, type Reshape } from "./reshape-sql.ts";

/** Rows in one transaction of the copy. */
const COPY_ROWS = 5_000;

/** Copies the rows of the old leaves in the order of their keys, a commit after each batch; what is there already stays. */
export function copySql(reshape: Reshape): string {
  const { schema, columns, key, names } = reshape;
  const path = pathIn(schema);
  const list = columns.map(ident).join(", ");
  const keys = key.map(({ name }) => `b.${ident(name)}`).join(", ");
  const last = key.map((_, at) => `v_last_${at}`);
  const next = key.map((_, at) => `v_next_${at}`);
  const page = (leaf: string, after: string) =>
    `SELECT ${keys} INTO ${next.join(", ")} FROM (
      SELECT ${keys} FROM ONLY ${leaf} AS b ${after} ORDER BY ${keys} LIMIT ${COPY_ROWS}) AS b
    ORDER BY ${key.map(({ name }) => `b.${ident(name)} DESC`).join(", ")} LIMIT 1;`;
  const put = (leaf: string, after: string) =>
    `INSERT INTO ${path(names.aside)} (${list}) SELECT ${list} FROM ONLY ${leaf} AS b
      WHERE ${after}(${keys}) <= (${next.join(", ")}) ON CONFLICT DO NOTHING;
    COMMIT;
    ${next.map((name, at) => `${last[at] ?? ""} := ${name};`).join(" ")}`;
  const beyond = `(${keys}) > (${last.join(", ")})`;
  return `DO ${literal(`
DECLARE
${key.map(({ type }, at) => `  v_last_${at} ${type};\n  v_next_${at} ${type};`).join("\n")}
BEGIN
${reshape.old
  .map(({ name }) => {
    const leaf = path(name);
    return `  ${page(leaf, "")}
  IF FOUND THEN
    ${put(leaf, "")}
    LOOP
      ${page(leaf, `WHERE ${beyond}`)}
      EXIT WHEN NOT FOUND;
      ${put(leaf, `${beyond} AND `)}
    END LOOP;
  END IF;`;
  })
  .join("\n")}
  COMMENT ON TABLE ${path(names.work)} IS 'copied';
END`)}`;
}

/** Whether the copy came to its end. */
export function copiedSql({ schema, names }: Reshape): string {
  const work = literal(pathIn(schema)(names.work));
  return `SELECT CASE WHEN pg_catalog.obj_description(pg_catalog.to_regclass(${work}), 'pg_class') = 'copied' THEN 'done' ELSE 'absent' END AS state`;
}

/** A row where both sides differ, but for keys in the log, in one statement and so in one snapshot. */
export function differenceSql(reshape: Reshape): string {
  const { schema, columns, key, names } = reshape;
  const path = pathIn(schema);
  const row = `ROW(${columns.map((column) => `b.${ident(column)}`).join(", ")})::text`;
  const side = (from: string) =>
    `(SELECT pg_catalog.count(*) AS rows, coalesce(pg_catalog.sum(pg_catalog.hashtextextended(${row}, 0)::numeric), 0) AS hash
 FROM (${from}) AS b WHERE NOT EXISTS (
  SELECT FROM ${path(names.log)} AS w WHERE ${key.map(({ name }) => `b.${ident(name)} = w.${ident(name)}`).join(" AND ")}))`;
  const seen = reshape.old
    .map(({ name }) => `SELECT * FROM ONLY ${path(name)}`)
    .join(" UNION ALL ");
  return `SELECT seen.rows AS seen, aside.rows AS aside
FROM ${side(seen)} AS seen, ${side(`SELECT * FROM ${path(names.aside)}`)} AS aside
WHERE (seen.rows, seen.hash) IS DISTINCT FROM (aside.rows, aside.hash)`;
}
