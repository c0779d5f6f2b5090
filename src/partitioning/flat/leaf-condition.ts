import type { PartitionFact } from "../../catalog/partitions.ts";
import { UnderpinError } from "../../errors.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { parseBound, type Edge } from "../bound.ts";

/** Which rows a member of a partition tree takes, as a condition on the columns of the root: the bounds of all above it together. */
export function leafCondition(members: readonly PartitionFact[], leaf: PartitionFact): string {
  const above = members.find(({ name }) => name === leaf.parent?.name);
  if (above === undefined) return "true";
  const own = ownCondition(members, above, leaf);
  return above.parent === null ? own : `${leafCondition(members, above)} AND ${own}`;
}

function ownCondition(
  members: readonly PartitionFact[],
  above: PartitionFact,
  { name, schema, bound, isDefault }: PartitionFact,
): string {
  if (isDefault) {
    const others = members
      .filter((each) => each.parent?.name === above.name && !each.isDefault)
      .map((each) => `(${ownCondition(members, above, each)})`);
    return others.length === 0 ? "true" : `(${others.join(" OR ")}) IS NOT TRUE`;
  }
  const [column, ...more] = above.key?.columns ?? [];
  const parsed = parseBound(bound ?? "");
  if (parsed.strategy === "hash") {
    const columns = (above.key?.columns ?? []).map((each) => ident(each ?? ""));
    return `pg_catalog.satisfies_hash_partition(${literal(qualified(above.schema, above.name))}::regclass, ${parsed.modulus}, ${parsed.remainder}, ${columns.join(", ")})`;
  }
  if (column == null || more.length > 0 || parsed.strategy === "default")
    throw new UnderpinError({
      code: "invalidInput",
      message: `${qualified(schema, name)} is cut by ${above.key?.definition ?? "nothing"}: only single columns are compared`,
      hint: "Copy the table by hand, or make it a scheme of single columns first.",
    });
  const quoted = ident(column);
  if (parsed.strategy === "list") {
    const values = parsed.values.flatMap((value) => (value === null ? [] : [literal(value)]));
    const some = values.length === 0 ? [] : [`${quoted} IN (${values.join(", ")})`];
    const nulls = parsed.values.includes(null) ? [`${quoted} IS NULL`] : [];
    return `(${[...some, ...nulls].join(" OR ")})`;
  }
  const [lower, upper] = [edgeOf(parsed.lower[0]), edgeOf(parsed.upper[0])];
  return [
    ...(lower === null ? [] : [`${quoted} >= ${lower}`]),
    ...(upper === null ? [] : [`${quoted} < ${upper}`]),
    `${quoted} IS NOT NULL`,
  ].join(" AND ");
}

function edgeOf(edge: Edge | undefined): string | null {
  return typeof edge === "object" ? literal(edge.value) : null;
}
