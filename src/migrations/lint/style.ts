import type { ColumnDef, Node } from "libpg-query";
import type { SqlStatement } from "../../sql/parse.ts";
import { ident } from "../../sql/quote.ts";
import { constraintsOf } from "../rewrite/judge-add-column.ts";
import type { RuleName } from "../rewrite/rules.ts";
import { nameOf, walkNodes, type Scene } from "../rewrite/scene.ts";
import { typeWord } from "../rewrite/type-text.ts";
import { pathOf, type Hazard } from "../rewrite/verdict.ts";

const NARROW = new Set(["int2", "int4", "smallserial", "serial", "serial2", "serial4"]);
const SERIAL = new Set(["serial", "serial4", "bigserial", "serial8", "smallserial", "serial2"]);

/** What is not wrong now, and is dear to change later: types of columns, wide indexes, names that are cut. */
export function styleHazards(scene: Scene, statement: SqlStatement): readonly Hazard[] {
  const { node } = statement;
  return [
    ...columnsOf(scene, node).flatMap(({ path, column, keys }) => ofColumn(path, column, keys)),
    ...wideIndex(scene, node),
    ...longNames(statement),
  ];
}

interface Found {
  readonly path: string;
  readonly column: ColumnDef;
  readonly keys: readonly string[];
}

function columnsOf(scene: Scene, node: Node): readonly Found[] {
  if ("CreateStmt" in node) {
    const path = pathOf(nameOf({ ...scene, facts: undefined }, node.CreateStmt.relation));
    const elements = node.CreateStmt.tableElts ?? [];
    const keys = elements.flatMap((each) =>
      "Constraint" in each && each.Constraint.contype === "CONSTR_PRIMARY"
        ? (each.Constraint.keys ?? []).map((key) =>
            "String" in key ? (key.String.sval ?? "") : "",
          )
        : [],
    );
    return elements.flatMap((each) =>
      "ColumnDef" in each ? [{ path, column: each.ColumnDef, keys }] : [],
    );
  }
  if (!("AlterTableStmt" in node)) return [];
  const path = pathOf(nameOf(scene, node.AlterTableStmt.relation));
  return (node.AlterTableStmt.cmds ?? []).flatMap((each): readonly Found[] => {
    if (!("AlterTableCmd" in each) || each.AlterTableCmd.subtype !== "AT_AddColumn") return [];
    const { def } = each.AlterTableCmd;
    return def !== undefined && "ColumnDef" in def
      ? [{ path, column: def.ColumnDef, keys: [] }]
      : [];
  });
}

function ofColumn(path: string, column: ColumnDef, keys: readonly string[]): readonly Hazard[] {
  const type = typeWord(column.typeName);
  const name = column.colname ?? "";
  const isKey =
    (keys.length === 1 && keys[0] === name) ||
    constraintsOf(column).some(({ contype }) => contype === "CONSTR_PRIMARY");
  const rules: readonly (RuleName | false)[] = [
    isKey && NARROW.has(type) && "narrow-key",
    SERIAL.has(type) && "serial-column",
    type === "timestamp" && "time-without-zone",
    type === "bpchar" && "padded-text",
    type === "json" && "json-column",
  ];
  return rules.flatMap((rule) =>
    rule === false ? [] : [{ rule, object: `${path}.${ident(name)}` }],
  );
}

const MOST_COLUMNS = 3;

function wideIndex(scene: Scene, node: Node): readonly Hazard[] {
  if (!("IndexStmt" in node)) return [];
  const { indexParams, unique, relation, idxname } = node.IndexStmt;
  if (unique === true || (indexParams ?? []).length <= MOST_COLUMNS) return [];
  return [
    { rule: "wide-index", object: `${pathOf(nameOf(scene, relation))}.${ident(idxname ?? "")}` },
  ];
}

const MAX_BYTES = 63;

/** Names are read from the words of the statement: the parser has cut them already. */
function longNames(statement: SqlStatement): readonly Hazard[] {
  let longest = 0;
  walkNodes(statement.node, (_, value) => {
    for (const text of Object.values(value))
      if (typeof text === "string" && Buffer.byteLength(text) >= MAX_BYTES - 4) longest = MAX_BYTES;
  });
  if (longest === 0) return [];
  return statement.tokens().flatMap(({ text }) => {
    const name = text.startsWith(`"`) ? text.slice(1, -1).replaceAll(`""`, `"`) : text;
    const isName = /^["A-Za-z_\u0080-\uffff]/.test(text) && !/^(?:[eEbBxXnN]|[uU]&)'/.test(text);
    return isName && Buffer.byteLength(name) > MAX_BYTES
      ? [{ rule: "long-name" as const, object: name }]
      : [];
  });
}
