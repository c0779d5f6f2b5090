import type { PartitionFact } from "../../catalog/partitions.ts";

type Values = Readonly<Record<string, string | null>>;

/** For each leaf that says which rows it takes, the values of one that it does take. Hash partitions say nothing: any row will do. */
export function partitionValues(
  node: PartitionFact,
  all: readonly PartitionFact[],
): readonly Values[] {
  const children = all.filter(
    ({ parent, isDefault }) =>
      parent?.schema === node.schema && parent.name === node.name && !isDefault,
  );
  const current = children.filter(isOfNow);
  return (current.length > 0 ? current : children).flatMap((child): readonly Values[] => {
    // Values are made of the last days anyway, and others may contradict what is in the row beside them.
    const own = current.length > 0 ? {} : ownValues(node, child);
    if (own === undefined) return [];
    if (child.key === null) return [own];
    return partitionValues(child, all).map((below) => ({ ...own, ...below }));
  });
}

/** Whether a range of time holds the last days. */
function isOfNow({ bound }: PartitionFact): boolean {
  const [, from = "", to = ""] =
    /^FOR VALUES FROM \('([^']+)'\) TO \('([^']+)'\)$/.exec(bound ?? "") ?? [];
  return DATE.test(from) && Date.parse(from) <= Date.now() - DAY && Date.parse(to) > Date.now();
}

const DATE = /^\d{4}-\d\d-\d\d/;
const DAY = 86_400_000;

/** The first value of a list; the lower end of a range, which is within it. */
function ownValues({ key }: PartitionFact, { bound }: PartitionFact): Values | undefined {
  if (key === null || bound === null) return undefined;
  if (key.strategy === "hash") return {};
  const [, text = ""] =
    (key.strategy === "list"
      ? /^FOR VALUES IN \((.*)\)$/s
      : /^FOR VALUES FROM \((.*?)\) TO \(/s
    ).exec(bound) ?? [];
  const words = [...text.matchAll(/'((?:[^']|'')*)'|[^\s,]+/g)].map(([word, quoted]) =>
    quoted === undefined ? word : quoted.replaceAll("''", "'"),
  );
  const columns = key.strategy === "list" ? key.columns.slice(0, 1) : key.columns;
  const entries = columns.map((column, at) => [column, words[at]] as const);
  const usable = entries.every(
    ([column, word]) =>
      column !== null && word !== undefined && word !== "MINVALUE" && word !== "MAXVALUE",
  );
  if (!usable) return undefined;
  return Object.fromEntries(
    entries.map(([column, word = ""]) => [column ?? "", word === "NULL" ? null : word]),
  );
}
