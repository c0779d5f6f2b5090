import type { Finding } from "../../catalog/finding.ts";
import { namedPath } from "../../catalog/path.ts";
import type { Scheme } from "../../definition/scheme.ts";
import type { RelationName } from "../../plan/step.ts";
import { literal, qualified } from "../../sql/quote.ts";
import { legacyName } from "../attach/attach-names.ts";
import { namesOf } from "../provision-names.ts";
import { childrenOf, type Partition } from "../read-tree.ts";
import type { ValidatedMember, ValidationReading } from "./read-validation.ts";

const pathOf = ({ schema, name }: RelationName) => namedPath("table", schema, name);

/** Whether a member is cut as the scheme says at its level. */
export function isCutAsDeclared(scheme: Scheme, { level, key }: ValidatedMember): boolean {
  const dimension = scheme.dimensions[level];
  if (dimension === undefined || key === null) return dimension === undefined && key === null;
  return key.strategy === dimension.strategy && key.columns.join() === dimension.column;
}

/** Levels that are cut by something else than the scheme says, and remainders that have no partition. */
export function levelFindings(scheme: Scheme, reading: ValidationReading): readonly Finding[] {
  const children = childrenOf(reading.tree);
  return [reading.root, ...reading.partitions].flatMap((member) => {
    if (isInDefault(member) || member.detachPending) return [];
    if (!isCutAsDeclared(scheme, member)) return [otherCut(scheme, member)];
    return hashFindings(scheme, member, children.get(member.oid) ?? []);
  });
}

/** A default partition holds what has no other, and may be a leaf at any level. */
function isInDefault({ bound }: Partition): boolean {
  return bound?.strategy === "default";
}

function otherCut(scheme: Scheme, member: ValidatedMember): Finding {
  const dimension = scheme.dimensions[member.level];
  if (member.key === null && member.name === legacyName(namesOf(scheme).table))
    return {
      check: "partition-legacy",
      severity: "info",
      object: pathOf(member),
      message:
        "it holds the rows that were there before the table was partitioned, and is not cut further",
      repair: null,
    };
  const is =
    member.key === null
      ? "it is not partitioned further"
      : `it is partitioned by ${member.key.strategy} of ${member.key.columns.join(", ")}`;
  const should =
    dimension === undefined
      ? "nothing is below that level"
      : `${dimension.strategy} of ${dimension.column} comes there`;
  return {
    check: "partition-dimension",
    severity: "error",
    object: pathOf(member),
    message: `${is}, and by the scheme ${should}`,
    repair: null,
  };
}

function hashFindings(
  scheme: Scheme,
  member: ValidatedMember,
  children: readonly Partition[],
): readonly Finding[] {
  const dimension = scheme.dimensions[member.level];
  if (dimension?.strategy !== "hash") return [];
  const bounds = children.flatMap(({ bound, detachPending }) =>
    bound?.strategy === "hash" && !detachPending ? [bound] : [],
  );
  const largest = Math.max(dimension.modulus, ...bounds.map(({ modulus }) => modulus));
  const missing = Array.from({ length: largest }, (_, remainder) => remainder).filter(
    (remainder) => !bounds.some((bound) => remainder % bound.modulus === bound.remainder),
  );
  const { schema, name } = member;
  const findings: Finding[] = [];
  if (missing.length > 0)
    findings.push({
      check: "partition-gap",
      severity: "error",
      object: pathOf(member),
      message: `no partition takes the remainder ${missing.slice(0, 10).join(", ")} of ${largest}: such rows are refused`,
      repair:
        largest === dimension.modulus && scheme.dimensions.length === 1
          ? `SELECT ${qualified(schema, namesOf(scheme).provision)}()`
          : null,
    });
  const otherwise = bounds.filter(({ modulus }) => modulus !== dimension.modulus).length;
  if (otherwise > 0)
    findings.push({
      check: "partition-cut",
      severity: "warning",
      object: pathOf({ schema, name }),
      message: `${otherwise} of its partitions have another modulus than ${dimension.modulus}, which the scheme says`,
      repair: null,
    });
  return findings;
}

/** The values of the list dimensions above a member, as arguments of the provision function; null where one of them is not a single value. */
export function provisionValues(
  scheme: Scheme,
  path: readonly Partition[],
): readonly string[] | null {
  const values: string[] = [];
  for (const [at, dimension] of scheme.dimensions.entries()) {
    if (dimension.strategy !== "list") continue;
    const bound = path[at]?.bound;
    const [value] = bound?.strategy === "list" ? bound.values : [];
    if (value === undefined || value === null) return null;
    values.push(literal(value));
  }
  return values;
}
