// Long because: one table of what came with which version, each with how it is told.
import type { Node } from "libpg-query";
import type { SqlStatement } from "../../sql/parse.ts";
import { stringsOf, tableOf, walkNodes, type Scene } from "../rewrite/scene.ts";
import { nameOf } from "../rewrite/scene.ts";
import type { Hazard } from "../rewrite/verdict.ts";

/** The major versions that a script can be written for. */
export type PostgresMajor = 15 | 16 | 17 | 18;

/** Something that an older server refuses, and how it is seen in a statement. */
interface Novelty {
  readonly since: 16 | 17 | 18;
  readonly what: string;
  readonly instead: string;
  readonly isIn: (statement: SqlStatement, scene: Scene) => boolean;
}

/** Whether any object in a statement, of that kind of node, is such. */
function some(
  { node }: SqlStatement,
  kind: string,
  is: (value: Readonly<Record<string, unknown>>) => boolean = () => true,
): boolean {
  let found = false;
  walkNodes(node, (key, value) => {
    if (key === kind && is(value as Readonly<Record<string, unknown>>)) found = true;
  });
  return found;
}

/** Functions that came with a version. */
const FUNCTIONS: Readonly<Record<string, 16 | 17 | 18>> = {
  any_value: 16,
  array_sample: 16,
  array_shuffle: 16,
  date_add: 16,
  date_subtract: 16,
  erf: 16,
  erfc: 16,
  pg_input_error_info: 16,
  pg_input_is_valid: 16,
  random_normal: 16,
  to_bin: 17,
  to_oct: 17,
  unicode_assigned: 17,
  uuid_extract_timestamp: 17,
  uuid_extract_version: 17,
  xmltext: 17,
  array_reverse: 18,
  array_sort: 18,
  casefold: 18,
  crc32: 18,
  crc32c: 18,
  gamma: 18,
  lgamma: 18,
  uuidv4: 18,
  uuidv7: 18,
};

function callsSince(statement: SqlStatement, version: number): boolean {
  return some(statement, "FuncCall", ({ funcname }) => {
    const words = stringsOf(funcname as readonly Node[]);
    const isBuiltIn = words.length === 1 || words[0] === "pg_catalog";
    const name = words[words.length - 1] ?? "";
    return isBuiltIn && Object.hasOwn(FUNCTIONS, name) && FUNCTIONS[name] === version;
  });
}

const constraintIs =
  (type: string, is: (value: Readonly<Record<string, unknown>>) => boolean = () => true) =>
  (statement: SqlStatement) =>
    some(statement, "Constraint", (value) => value["contype"] === type && is(value));

const commandIs =
  (...types: readonly string[]) =>
  (statement: SqlStatement) =>
    some(statement, "AlterTableCmd", ({ subtype }) => types.includes(String(subtype)));

const copyOption = (name: string) => (statement: SqlStatement) =>
  statement.kind === "CopyStmt" && some(statement, "DefElem", ({ defname }) => defname === name);

/** A function of any name is a function of that name, except where an own one is called so too. */
const NOVELTIES: readonly Novelty[] = [
  {
    since: 18,
    what: "a virtual generated column",
    instead: "GENERATED ALWAYS AS (…) STORED, on a new table; a view on one that is there",
    isIn: constraintIs("CONSTR_GENERATED", ({ generated_kind: kind }) => kind === "v"),
  },
  {
    since: 18,
    what: "NOT NULL as a constraint of the table",
    instead: "setNotNull, which takes the way of the server's version",
    isIn: (statement) =>
      some(statement, "AlterTableCmd", ({ subtype, def }) => {
        const constraint = (def as { Constraint?: { contype?: string } } | undefined)?.Constraint;
        return subtype === "AT_AddConstraint" && constraint?.contype === "CONSTR_NOTNULL";
      }) ||
      (statement.kind === "CreateStmt" &&
        "CreateStmt" in statement.node &&
        (statement.node.CreateStmt.tableElts ?? []).some(
          (element) => "Constraint" in element && element.Constraint.contype === "CONSTR_NOTNULL",
        )),
  },
  {
    since: 18,
    what: "a NOT VALID foreign key of a partitioned table",
    instead: "addForeignKey, which goes partition by partition up to 17",
    isIn: (statement, scene) => {
      if (!("AlterTableStmt" in statement.node)) return false;
      const { relation } = statement.node.AlterTableStmt;
      return (
        tableOf(scene, nameOf(scene, relation))?.kind === "partitionedTable" &&
        constraintIs("CONSTR_FOREIGN", ({ skip_validation: later }) => later === true)(statement)
      );
    },
  },
  {
    since: 18,
    what: "a constraint that is NOT ENFORCED",
    instead: "no constraint, or one that is kept",
    isIn: (statement) =>
      some(
        statement,
        "Constraint",
        ({ contype, is_enforced: enforced }) =>
          contype === "CONSTR_ATTR_NOT_ENFORCED" ||
          contype === "CONSTR_ATTR_ENFORCED" ||
          ((contype === "CONSTR_CHECK" || contype === "CONSTR_FOREIGN") && enforced !== true),
      ),
  },
  {
    since: 18,
    what: "a key WITHOUT OVERLAPS or with PERIOD",
    instead: "an exclusion constraint",
    isIn: (statement) =>
      some(
        statement,
        "Constraint",
        ({ without_overlaps: key, fk_with_period: from, pk_with_period: to }) =>
          key === true || from === true || to === true,
      ),
  },
  {
    since: 18,
    what: "OLD or NEW in RETURNING",
    instead: "a common table expression that reads the row before",
    isIn: (statement) =>
      some(statement, "returningClause", ({ options, exprs }) => {
        let found = Array.isArray(options) && options.length > 0;
        walkNodes(exprs, (key, value) => {
          const fields = (value as { fields?: readonly Node[] }).fields;
          const [first] = key === "ColumnRef" ? stringsOf(fields) : [];
          if ((fields ?? []).length > 1 && (first === "old" || first === "new")) found = true;
        });
        return found;
      }),
  },
  {
    since: 18,
    what: "COPY … REJECT_LIMIT",
    instead: "clean data",
    isIn: copyOption("reject_limit"),
  },
  {
    since: 18,
    what: "VACUUM or ANALYZE ONLY",
    instead: "the statement without ONLY",
    isIn: ({ node }) =>
      "VacuumStmt" in node &&
      (node.VacuumStmt.rels ?? []).some(
        (each) =>
          "VacuumRelation" in each &&
          each.VacuumRelation.relation !== undefined &&
          each.VacuumRelation.relation.inh !== true,
      ),
  },
  {
    since: 17,
    what: "SET EXPRESSION of a generated column",
    instead: "a new column, filled and swapped in",
    isIn: commandIs("AT_SetExpression"),
  },
  {
    since: 17,
    what: "MERGE … RETURNING, or WHEN NOT MATCHED BY SOURCE",
    instead: "UPDATE, INSERT and DELETE",
    isIn: ({ node }) =>
      "MergeStmt" in node &&
      (node.MergeStmt.returningClause !== undefined ||
        (node.MergeStmt.mergeWhenClauses ?? []).some(
          (each) =>
            "MergeWhenClause" in each &&
            each.MergeWhenClause.matchKind === "MERGE_WHEN_NOT_MATCHED_BY_SOURCE",
        )),
  },
  {
    since: 17,
    what: "JSON_TABLE, JSON_QUERY, JSON_VALUE, JSON_EXISTS, JSON(), JSON_SCALAR or JSON_SERIALIZE",
    instead: "jsonb_path_query and its kin",
    isIn: (statement) =>
      ["JsonTable", "JsonFuncExpr", "JsonParseExpr", "JsonScalarExpr", "JsonSerializeExpr"].some(
        (kind) => some(statement, kind),
      ),
  },
  { since: 17, what: "COPY … ON_ERROR", instead: "clean data", isIn: copyOption("on_error") },
  {
    since: 17,
    what: "the privilege MAINTAIN",
    instead: "ownership",
    isIn: (statement) =>
      some(statement, "AccessPriv", ({ priv_name: name }) => name === "maintain"),
  },
  {
    since: 17,
    what: "the setting transaction_timeout",
    instead: "statement_timeout, and idle_in_transaction_session_timeout",
    isIn: (statement) =>
      some(statement, "VariableSetStmt", ({ name }) => name === "transaction_timeout") ||
      ("VariableSetStmt" in statement.node &&
        statement.node.VariableSetStmt.name === "transaction_timeout"),
  },
  {
    since: 17,
    what: "an exclusion constraint of a partitioned table",
    instead: "one on each partition",
    isIn: ({ node }) =>
      "CreateStmt" in node &&
      node.CreateStmt.partspec !== undefined &&
      (node.CreateStmt.tableElts ?? []).some(
        (element) => "Constraint" in element && element.Constraint.contype === "CONSTR_EXCLUSION",
      ),
  },
  {
    since: 16,
    what: "JSON_OBJECT, JSON_ARRAY, JSON_ARRAYAGG, JSON_OBJECTAGG or IS JSON",
    instead: "json_build_object, json_build_array, json_agg, json_object_agg",
    isIn: (statement) =>
      [
        "JsonObjectConstructor",
        "JsonArrayConstructor",
        "JsonArrayQueryConstructor",
        "JsonArrayAgg",
        "JsonObjectAgg",
        "JsonIsPredicate",
      ].some((kind) => some(statement, kind)),
  },
  {
    since: 16,
    what: "a subquery in FROM without a name",
    instead: "a name after it: FROM (…) AS rows",
    isIn: (statement) => some(statement, "RangeSubselect", ({ alias }) => alias === undefined),
  },
  {
    since: 16,
    what: "an integer in another base, or with _ between digits",
    instead: "the number in decimal, without _",
    isIn: (statement) =>
      statement.tokens().some(({ text }) => /^(?:0[xob][\da-f_]+|\d+(?:_\d+)+)$/i.test(text)),
  },
  {
    since: 16,
    what: "GRANT of a role WITH INHERIT or SET",
    instead: "ALTER ROLE … NOINHERIT",
    isIn: ({ node }) =>
      "GrantRoleStmt" in node &&
      (node.GrantRoleStmt.opt ?? []).some(
        (option) =>
          "DefElem" in option && ["inherit", "set"].includes(option.DefElem.defname ?? ""),
      ),
  },
  {
    since: 16,
    what: "extended statistics without a name",
    instead: "CREATE STATISTICS name ON …",
    isIn: ({ node }) =>
      "CreateStatsStmt" in node && (node.CreateStatsStmt.defnames ?? []).length === 0,
  },
  {
    since: 16,
    what: "STORAGE in CREATE TABLE, or SET STORAGE DEFAULT",
    instead: "ALTER COLUMN … SET STORAGE with the storage by name, afterwards",
    isIn: (statement) =>
      some(statement, "ColumnDef", ({ storage_name: name }) => name !== undefined) ||
      some(statement, "AlterTableCmd", ({ subtype, def }) => {
        const word = (def as { String?: { sval?: string } } | undefined)?.String?.sval;
        return subtype === "AT_SetStorage" && word?.toLowerCase() === "default";
      }),
  },
  { since: 16, what: "COPY … DEFAULT", instead: "a column list", isIn: copyOption("default") },
  {
    since: 16,
    what: "SYSTEM_USER",
    instead: "session_user",
    isIn: (statement) => {
      const words = statement.tokens();
      return words.some(
        ({ text }, at) => /^system_user$/i.test(text) && words[at - 1]?.text !== ".",
      );
    },
  },
  ...([16, 17, 18] as const).map(
    (since): Novelty => ({
      since,
      what: `a function that came with PostgreSQL ${since}`,
      instead: "a function of your own, or what the older version knows",
      isIn: (statement) => callsSince(statement, since),
    }),
  ),
];

/** What a server of that version refuses in a statement. */
export function newerThan(
  statement: SqlStatement,
  scene: Scene,
  postgres: PostgresMajor,
): readonly Hazard[] {
  return NOVELTIES.filter(({ since, isIn }) => since > postgres && isIn(statement, scene)).map(
    ({ since, what, instead }) => ({
      rule: "newer-postgres",
      object: what,
      note: `since PostgreSQL ${since}, and this is for ${postgres}: write ${instead}`,
    }),
  );
}
