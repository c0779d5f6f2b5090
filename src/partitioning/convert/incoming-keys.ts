import type { ConstraintFact } from "../../catalog/constraints.ts";
import type { RelationName } from "../../plan/step.ts";
import { ident, qualified } from "../../sql/quote.ts";
import type { IncomingKey, IndexShape } from "./conversion.ts";
import type { PlainTable } from "./copy-options.ts";
import { refuser } from "./refusals.ts";

/** The table that is referred to, and its keys as they will be. */
interface Referred {
  readonly own: RelationName;
  /** The columns of the primary key now, and then. */
  readonly primary: readonly string[];
  readonly wanted: readonly string[];
  readonly shapes: readonly IndexShape[];
}

/** Foreign keys of other tables, over the keys that the partitioned table will have; refuses by name those that cannot be. */
export function incomingKeys(options: PlainTable, referred: Referred): readonly IncomingKey[] {
  const { facts, incoming = {} } = options;
  const { schema, name } = referred.own;
  const refuse = refuser(qualified(schema, name));
  const keys = facts.constraints.filter(
    ({ references, table, schema: own }) =>
      references?.schema === schema &&
      references.name === name &&
      !(own === schema && table === name),
  );
  const unknown = Object.keys(incoming).find((each) => !keys.some((key) => key.name === each));
  if (unknown !== undefined)
    throw refuse(
      `is referred to by no foreign key ${unknown}`,
      `Those that refer to it: ${keys.map((key) => key.name).join(", ") || "none"}.`,
    );
  return keys.map((key) => ({ constraint: key, becomes: becomesOf(options, referred, key) }));
}

function becomesOf(
  { facts, incoming = {} }: PlainTable,
  { own, primary, wanted, shapes }: Referred,
  key: ConstraintFact,
): IncomingKey["becomes"] {
  const refuse = refuser(qualified(own.schema, own.name));
  const from = qualified(key.schema, key.table);
  const said = incoming[key.name];
  if (said === "drop") return null;
  if (
    facts.partitions.some((each) => each.schema === key.schema && each.name === key.table) &&
    said !== undefined
  )
    throw refuse(
      `is referred to by ${key.name} of ${from}, which is partitioned itself`,
      `Say incoming: { ${JSON.stringify(key.name)}: "drop" }, and add it again with addForeignKey.`,
    );
  const to = key.references?.columns ?? [];
  const isKept = shapes.some(
    ({ index, becomes }) =>
      becomes === "same" &&
      index.unique &&
      index.keys.length === to.length &&
      index.keys.every(({ column }) => column !== null && to.includes(column)),
  );
  if (isKept && said === undefined) return { columns: key.columns, definition: key.definition };
  const refersToPrimary =
    to.length === primary.length && to.every((each) => primary.includes(each));
  const columns = said ?? (refersToPrimary ? sameNames(facts, own, key, wanted) : undefined);
  if (columns === undefined || columns.length !== wanted.length)
    throw refuse(
      `is referred to by ${key.name} of ${from} (${key.columns.join(", ")}), and no key over ${to.join(", ")} is left`,
      `Name the columns that stand for (${wanted.join(", ")}): incoming: { ${JSON.stringify(key.name)}: [ … ] }, add them to ${from} first where they are missing; or drop the key: incoming: { ${JSON.stringify(key.name)}: "drop" }.`,
    );
  const rest = /\) REFERENCES [^]*?\)( [^]*)?$/.exec(key.definition)?.[1] ?? "";
  const list = (names: readonly string[]) => names.map(ident).join(", ");
  return {
    columns,
    definition: `FOREIGN KEY (${list(columns)}) REFERENCES ${qualified(own.schema, own.name)} (${list(wanted)})${actionsOf(key)}${/ DEFERRABLE/.test(rest) ? rest.slice(rest.indexOf(" DEFERRABLE")) : ""}`,
  };
}

const ACTIONS = {
  noAction: "",
  restrict: "RESTRICT",
  cascade: "CASCADE",
  setNull: "SET NULL",
  setDefault: "SET DEFAULT",
} as const;

function actionsOf({ references }: ConstraintFact): string {
  if (references === null) return "";
  const { match, onUpdate, onDelete, setColumns } = references;
  const some = setColumns.length === 0 ? "" : ` (${setColumns.map(ident).join(", ")})`;
  return [
    match === "full" ? " MATCH FULL" : "",
    onUpdate === "noAction" ? "" : ` ON UPDATE ${ACTIONS[onUpdate]}`,
    onDelete === "noAction" ? "" : ` ON DELETE ${ACTIONS[onDelete]}${some}`,
  ].join("");
}

/** For each column of the wide key that of the foreign key, or the one of the same name and type. */
function sameNames(
  { columns }: PlainTable["facts"],
  own: RelationName,
  key: ConstraintFact,
  wanted: readonly string[],
): readonly string[] | undefined {
  const typeOf = (schema: string, table: string, name: string) =>
    columns.find((each) => each.schema === schema && each.table === table && each.name === name)
      ?.type;
  const found = wanted.flatMap((column) => {
    const at = key.references?.columns.indexOf(column) ?? -1;
    const mine = at < 0 ? column : key.columns[at];
    if (mine === undefined) return [];
    const type = typeOf(key.schema, key.table, mine);
    return type !== undefined && type === typeOf(own.schema, own.name, column) ? [mine] : [];
  });
  return found.length === wanted.length ? found : undefined;
}
