import type { IndexElem, IndexStmt, Node } from "libpg-query";
import type { Plan, RelationName, Step } from "../../plan/step.ts";
import { buildStepOf } from "../../recipes/build-index.ts";
import { createIndex } from "../../recipes/create-index.ts";
import type { IndexPart } from "../../recipes/index-options.ts";
import type { SqlStatement } from "../../sql/parse.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import { factsAbout, isCalm, nameOf, partitionOf, stringsOf, type Scene } from "./scene.ts";
import { afterName, cut, indexOfWords, insideBrackets, partOf } from "./statement-text.ts";
import {
  backBy,
  gated,
  lockOn,
  never,
  online,
  pathOf,
  taken,
  type Change,
  type Hazard,
  type Verdict,
} from "./verdict.ts";

/** CREATE INDEX: concurrently, unless the script has made the table. */
export function judgeCreateIndex(
  scene: Scene,
  statement: SqlStatement,
  index: IndexStmt,
  change: Change,
): Verdict {
  const table = nameOf(scene, index.relation);
  const name = index.idxname ?? defaultName(table, index);
  const hazards: Hazard[] = [];
  const parent = partitionOf(scene, table)?.key != null;
  // On a partitioned table alone there is nothing to build.
  if (parent && index.relation?.inh !== true)
    return taken(change, {
      locks: [{ ...table, mode: "share" }],
      creates: 1,
      undo: backBy(`DROP INDEX ${qualified(table.schema, name)}`, [
        lockOn(table, "accessExclusive"),
      ]),
    });
  if (index.if_not_exists === true && !isCalm(scene, table, "index-if-not-exists"))
    hazards.push({ rule: "index-if-not-exists", object: pathOf(table) });
  if (index.concurrent !== true && isCalm(scene, table, "create-index"))
    return taken(change, {
      locks: [{ ...table, mode: "share" }],
      creates: 1,
      undo:
        index.if_not_exists === true
          ? never("IF NOT EXISTS: the index may have been there before")
          : backBy(`DROP INDEX ${qualified(table.schema, name)}`, [
              lockOn(table, "accessExclusive"),
              { schema: table.schema, name, mode: "accessExclusive" },
            ]),
      hazards,
    });
  if (index.concurrent !== true)
    hazards.push({
      rule: "create-index",
      object: pathOf(table),
      lock: { ...table, mode: "share" },
    });
  if (!parent) {
    const create = concurrentSql(statement, index, table, name);
    const step = buildStepOf(create, table, name, "create-index");
    const parts: readonly Step[] = scene.facts === undefined ? [isPlainTable(table), step] : [step];
    // A hazard of its own or not: probed and built again it is better than as it was.
    return online(change, hazards, parts);
  }
  const uncarried = [
    (index.options ?? []).length > 0 ? "WITH (…)" : "",
    index.tableSpace === undefined ? "" : "TABLESPACE",
    index.nulls_not_distinct === true ? "NULLS NOT DISTINCT" : "",
  ].filter((word) => word !== "");
  if (uncarried.length > 0)
    return gated(
      change,
      {
        rule: "create-index",
        object: pathOf(table),
        lock: { ...table, mode: "share" },
        note: `on the partitioned table it is made partition by partition, without ${uncarried.join(" and ")}: write it with createIndex`,
      },
      `${pathOf(table)} is partitioned, and ${uncarried.join(" and ")} is not carried to its partitions: nobody can write while the index is built. Is now a quiet moment?`,
      {
        locks: [lockOn(table, "share")],
        creates: 1,
        undo: backBy(`DROP INDEX ${qualified(table.schema, name)}`, [
          lockOn(table, "accessExclusive"),
        ]),
      },
    );
  return online(change, hazards, [partitioned(scene, statement, index, table, name)]);
}

/** The statement as it stands, with CONCURRENTLY, the path of its table, and without IF NOT EXISTS. */
function concurrentSql(
  statement: SqlStatement,
  index: IndexStmt,
  table: RelationName,
  name: string,
): string {
  const tokens = statement.tokens();
  const start = statement.at(index.relation?.location ?? 0);
  const rest = tokens[afterName(tokens, start)]?.start ?? statement.text.length;
  const unique = index.unique === true ? "UNIQUE " : "";
  return `CREATE ${unique}INDEX CONCURRENTLY ${ident(name)} ON ${pathOf(table)} ${statement.text.slice(rest)}`;
}

function partitioned(
  scene: Scene,
  statement: SqlStatement,
  index: IndexStmt,
  table: RelationName,
  name: string,
): Plan {
  const tokens = statement.tokens();
  const list = insideBrackets(statement.text, tokens, statement.at(index.relation?.location ?? 0));
  const slices = cut(statement.text, list?.tokens ?? []);
  const parts = elements(index.indexParams).map((element, at): IndexPart => {
    const { name: column, ordering, nulls_ordering: nulls, opclass, collation } = element;
    const slice = slices[at];
    const operatorClass = stringsOf(opclass).map(ident).join(".");
    const collate = stringsOf(collation).map(ident).join(".");
    return {
      on: column ?? { expression: expressionOf(statement.text, slice) },
      ...(ordering === "SORTBY_DESC"
        ? { order: "desc" as const }
        : ordering === "SORTBY_ASC"
          ? { order: "asc" as const }
          : {}),
      ...(nulls === "SORTBY_NULLS_FIRST"
        ? { nulls: "first" as const }
        : nulls === "SORTBY_NULLS_LAST"
          ? { nulls: "last" as const }
          : {}),
      ...(operatorClass === "" ? {} : { operatorClass }),
      ...(collate === "" ? {} : { collation: collate }),
    };
  });
  const [first, ...others] = parts;
  const where = indexOfWords(tokens, ["WHERE"]);
  const include = elements(index.indexIncludingParams).map((element) => element.name ?? "");
  return createIndex({
    schema: table.schema,
    table: table.name,
    name,
    facts: factsAbout(scene, [table]),
    parts: [first ?? "", ...others],
    ...(index.unique === true ? { unique: true } : {}),
    ...(index.accessMethod === undefined ? {} : { method: index.accessMethod }),
    ...(include.length === 0 ? {} : { include }),
    ...(where === -1 ? {} : { where: partOf(statement.text, tokens.slice(where + 1)).text }),
  });
}

/** `(a + b) desc` is `a + b`; `lower(a) text_ops` is `lower(a)`. */
function expressionOf(text: string, slice: ReturnType<typeof cut>[number] | undefined): string {
  if (slice === undefined) return "";
  const inside = insideBrackets(text, slice.tokens);
  if (inside === undefined) return slice.text;
  if (slice.tokens[0]?.text === "(") return inside.text;
  const close = slice.tokens.findIndex(({ start }) => start >= inside.end);
  return partOf(text, slice.tokens.slice(0, close + 1)).text;
}

function elements(nodes: readonly Node[] | undefined): readonly IndexElem[] {
  return (nodes ?? []).flatMap((node) => ("IndexElem" in node ? [node.IndexElem] : []));
}

/** As PostgreSQL names it, if the name is free. */
function defaultName({ name }: RelationName, index: IndexStmt): string {
  const columns = elements(index.indexParams).map((element) => element.name ?? "expr");
  return shorten(`${name}_${columns.join("_")}_idx`);
}

function isPlainTable({ schema, name }: RelationName): Step {
  return {
    kind: "check",
    id: "is-plain-table",
    title: `${name} can have an index built concurrently`,
    sql: `SELECT n.nspname, c.relname, 'is partitioned: hand over facts' AS reason
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ${literal(qualified(schema, name))}::regclass AND c.relkind = 'p'`,
    expect: "noRows",
    transaction: "commitAfter",
    undo: { kind: "nothing" },
  };
}
