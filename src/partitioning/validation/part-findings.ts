import type { Finding } from "../../catalog/finding.ts";
import { namedPath, partPath } from "../../catalog/path.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import { RESHAPE_CHECK } from "../reshape-of.ts";
import { stateFindings, type RootState } from "../state-findings.ts";
import type { MissingIndex } from "../missing-indexes.ts";
import type { ValidatedMember, ValidationReading } from "./read-validation.ts";

/** What of single partitions differs from the root, and tables that may have been partitions. */
export function partFindings(reading: ValidationReading): readonly Finding[] {
  const { root, partitions, closed } = reading;
  const state: RootState = { owner: root.owner, closed, triggers: root.triggers };
  const byOid = new Map([root, ...partitions].map((member) => [member.oid, member]));
  return [
    ...partitions.flatMap((member) => [
      ...stateFindings(state, { ...member, parent: byOid.get(member.parent ?? 0) ?? root }),
      ...constraintFindings(member),
    ]),
    ...optionFindings(root, partitions),
    ...reading.missingIndexes.flatMap((missing) => {
      const child = byOid.get(missing.child);
      const parent = byOid.get(missing.parent);
      return child === undefined || parent === undefined
        ? []
        : [missingIndex(child, parent, missing)];
    }),
    ...reading.lackingKeys.map(
      ({ schema, name, constraint }): Finding => ({
        check: "partition-constraint",
        severity: "error",
        object: partPath("constraint", constraint, namedPath("table", schema, name)),
        message: "the foreign key of its parent is not on it: its rows may point to nothing",
        repair: null,
      }),
    ),
    ...reading.strays.map(({ schema, name, pages, partitioned, replaced }): Finding => {
      const object = namedPath("table", schema, name);
      if (replaced) return replacedFinding(object, "what is below it was replaced, or is about to");
      const looks = "it has the columns and the name of a partition and is attached to nothing";
      return pages > 0
        ? {
            check: "partition-orphan",
            severity: "warning",
            object,
            message: `${looks}: its rows are in no query of the root`,
            repair: null,
          }
        : {
            check: "partition-leftover",
            severity: "info",
            object,
            message: `${looks}, and holds nothing: what made it was interrupted, or is at work`,
            // A tree of many partitions has to leave in more than one transaction.
            repair: partitioned ? null : `DROP TABLE ${qualified(schema, name)}`,
          };
    }),
  ];
}

function constraintFindings(member: ValidatedMember): readonly Finding[] {
  const relation = qualified(member.schema, member.name);
  const object = namedPath("table", member.schema, member.name);
  const isOwn = (name: string) => name !== RESHAPE_CHECK;
  const { ownChecks, unproven } = member;
  return [
    ...([...ownChecks, ...unproven].every(isOwn)
      ? []
      : [replacedFinding(object, "it replaces other partitions, or is about to be replaced")]),
    ...ownChecks.filter(isOwn).map(
      (name): Finding => ({
        check: "partition-constraint",
        severity: "info",
        object: partPath("constraint", name, object),
        message: "it is a check that the root does not have, as a detach leaves one behind",
        repair: `ALTER TABLE ${relation} DROP CONSTRAINT ${ident(name)}`,
      }),
    ),
    ...unproven.filter(isOwn).map(
      (name): Finding => ({
        check: "partition-constraint",
        severity: "warning",
        object: partPath("constraint", name, object),
        message: "it holds for new rows, and nobody has looked whether the others keep it",
        repair: `ALTER TABLE ${relation} VALIDATE CONSTRAINT ${ident(name)}`,
      }),
    ),
  ];
}

/** Both sides of a replacement are there on purpose: its undo needs them. */
function replacedFinding(object: string, what: string): Finding {
  return {
    check: "partition-replaced",
    severity: "info",
    object,
    message: `${what}: kept until dropReplaced`,
    repair: null,
  };
}

/** A partitioned table has no storage parameters: a leaf is compared with what most leaves have. */
function optionFindings(
  root: ValidatedMember,
  partitions: readonly ValidatedMember[],
): readonly Finding[] {
  const leaves = partitions.filter(({ isLeaf }) => isLeaf);
  const counts = new Map<string, number>();
  for (const { options } of leaves) {
    const text = [...options].sort().join(", ");
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  const [usual = ""] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? [];
  return leaves.flatMap((leaf) => {
    const object = namedPath("table", leaf.schema, leaf.name);
    const own = [...leaf.options].sort().join(", ");
    const findings: Finding[] = [];
    if (own !== usual)
      findings.push({
        check: "partition-options",
        severity: "info",
        object,
        message: `its storage parameters are ${own === "" ? "the default ones" : own}; most partitions have ${usual === "" ? "the default ones" : usual}`,
        repair: null,
      });
    if (leaf.unlogged && !root.unlogged)
      findings.push({
        check: "partition-unlogged",
        severity: "error",
        object,
        message: "it is unlogged and its root is not: a crash empties it",
        repair: `ALTER TABLE ${qualified(leaf.schema, leaf.name)} SET LOGGED`,
      });
    return findings;
  });
}

function missingIndex(
  { schema, name, isLeaf }: ValidatedMember,
  parent: ValidatedMember,
  { index, unique, constraint, using, own }: MissingIndex,
): Finding {
  const relation = qualified(schema, name);
  const same = own.find((each) => each.same)?.name;
  const attach = (child: string) =>
    `ALTER INDEX ${qualified(parent.schema, index)} ATTACH PARTITION ${qualified(schema, child)}`;
  // A name of its own for every pair of table and index, whatever is cut off.
  const made = shorten(`${name}_${index}`);
  const create = `CREATE ${unique ? "UNIQUE " : ""}INDEX ${isLeaf ? "CONCURRENTLY " : ""}${ident(made)} ON ${isLeaf ? "" : "ONLY "}${relation} ${using}`;
  const steps =
    constraint === null
      ? [create, attach(made)]
      : isLeaf
        ? [
            create,
            `ALTER TABLE ${relation} ADD CONSTRAINT ${ident(made)} ${constraint === "p" ? "PRIMARY KEY" : "UNIQUE"} USING INDEX ${ident(made)}`,
            attach(made),
          ]
        : null;
  return {
    check: "partition-index",
    severity: "error",
    object: namedPath("table", schema, name),
    message:
      same === undefined
        ? `it lacks the index ${index} of its parent, which is invalid until then`
        : `its index ${same} is not attached to ${index} of its parent, which is invalid until then`,
    repair: same === undefined || constraint !== null ? (steps?.join(";\n") ?? null) : attach(same),
  };
}
