import type { Scheme } from "../definition/scheme.ts";
import { plan } from "../plan/plan.ts";
import type { Plan } from "../plan/step.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { namesOf } from "./provision-names.ts";
import { dropAsideSql } from "./reshape-sql.ts";
import { reshapeNames } from "./reshape-of.ts";

/** What was replaced. */
export interface DropReplacedOptions {
  readonly scheme: Scheme;
  /** The plan of `splitPartition` or `mergePartitions` that was applied. */
  readonly plan: Plan;
  /** The partition that was split, or the first of those that were merged. */
  readonly partition: string;
}

/** Drops the old partitions once nobody wants them back; from then on the split or merge cannot be taken back. */
export function dropReplaced({ scheme, plan: replaced, partition }: DropReplacedOptions): Plan {
  const { schema } = namesOf(scheme);
  const names = reshapeNames(partition);
  const aside = qualified(schema, names.aside);
  const body = `
DECLARE
  v_table regclass;
BEGIN
  FOR v_table IN
    SELECT DISTINCT t.tgrelid FROM pg_catalog.pg_trigger AS t
    WHERE t.tgfoid = ${literal(`${qualified(schema, names.sync)}()`)}::regprocedure
  LOOP
    EXECUTE pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', v_table, ${literal(names.check)});
  END LOOP;
END`;
  const made = plan(`drop-replaced-${schema}-${partition}`, [
    {
      kind: "check",
      id: "is-swapped",
      title: "The old partitions are aside",
      sql: `SELECT 'the run that replaces them is not at its end' AS reason WHERE NOT EXISTS (
  SELECT FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
  WHERE i.inhparent = pg_catalog.to_regclass(${literal(aside)}) AND c.relname = ${literal(partition)})`,
      expect: "noRows",
      transaction: "inside",
      undo: { kind: "nothing" },
    },
    {
      kind: "sql",
      id: "drop",
      title: `Drop ${ident(partition)} and what was kept with it`,
      sql: `DO ${literal(body)};\n${dropAsideSql({ schema, names })}`,
      locks: [
        { schema, name: names.aside, mode: "accessExclusive", partitions: true },
        { schema, name: names.log, mode: "accessExclusive" },
        { schema, name: names.work, mode: "accessExclusive" },
      ],
      transaction: "commitAfter",
      undo: { kind: "irreversible", reason: "the old partitions are dropped" },
    },
  ]);
  return { ...made, voids: [replaced.name] };
}
