import type { Scheme } from "../definition/scheme.ts";
import { UnderpinError } from "../errors.ts";
import { plan } from "../plan/plan.ts";
import type { Lock, Plan, SqlStep, Step } from "../plan/step.ts";
import { literal, qualified } from "../sql/quote.ts";
import { namesOf } from "./provision-names.ts";
import { reshapeNames } from "./reshape-of.ts";
import { dropAsideSql } from "./reshape-sql.ts";

/** What was replaced. */
export interface DropReplacedOptions {
  readonly scheme: Scheme;
  /** The plan of `splitPartition`, `mergePartitions` or `changeGranularity` that was applied. */
  readonly plan: Plan;
  /** The partition that was split, or the first of those that were merged. @default all that the plan replaced */
  readonly partition?: string;
}

/** Drops the old partitions once nobody wants them back; from then on the change cannot be taken back. */
export function dropReplaced({ scheme, plan: replaced, partition }: DropReplacedOptions): Plan {
  const { schema, table } = namesOf(scheme);
  const swaps = replaced.steps.flatMap((step) =>
    step.kind === "sql" && /(^|\/)swap$/.test(step.id)
      ? [{ first: step.id.slice(0, -"/swap".length), ...droppedWith(replaced, step) }]
      : [],
  );
  const wanted = swaps.map((swap) =>
    partition === undefined ? swap : { ...swap, first: partition },
  );
  if (wanted.length === 0 || wanted.some(({ first }) => first === ""))
    throw new UnderpinError({
      code: "invalidInput",
      message: `"${replaced.name}" does not say which partitions it replaced`,
      hint: "Name the partition that was split, or the first of those that were merged.",
    });
  const of = wanted.length === 1 ? wanted[0]?.first : table;
  const made = plan(
    `drop-replaced-${schema}-${of}`,
    wanted.flatMap(({ first, locked }) => dropSteps(schema, first, locked, wanted.length > 1)),
  );
  return { ...made, voids: [replaced.name] };
}

/** What is locked to drop the old partitions. */
interface Dropped {
  readonly locks: readonly Lock[];
  readonly creates: number;
}

/**
 * Both sides of a replacement with what was made beside them, the tables that their foreign keys refer to, and the indexes of the old
 * partitions: the parent is not touched any more.
 */
function droppedWith(replaced: Plan, swap: SqlStep): { readonly locked: Dropped } {
  const prefix = swap.id.slice(0, -"swap".length);
  const of = (what: string) =>
    replaced.steps.flatMap((step) =>
      step.kind === "sql" &&
      step.undo.kind === "statement" &&
      step.id.startsWith(`${prefix}${what}`)
        ? [{ ...step, undo: step.undo }]
        : [],
    );
  const [prepare] = of("prepare");
  // The parent comes first.
  const both = (prepare?.undo.locks ?? []).slice(1);
  const keys = of("key/").flatMap(({ undo }) => undo.locks.slice(1));
  // What prepare makes: three tables beside the new partitions, and the indexes of those.
  const newIndexes = prepare?.undo.creates ?? 0;
  const made = (prepare?.creates ?? 0) - newIndexes - 3;
  const indexes = made > 0 ? newIndexes / made : 0;
  return {
    locked: {
      locks: [...both, ...keys],
      creates: (swap.creates ?? 0) - newIndexes - indexes,
    },
  };
}

function dropSteps(
  schema: string,
  first: string,
  locked: Dropped,
  several: boolean,
): readonly Step[] {
  const id = (what: string) => (several ? `${first}/${what}` : what);
  const names = reshapeNames(first);
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
  return [
    {
      kind: "check",
      id: id("is-swapped"),
      title: "The old partitions are aside",
      sql: `SELECT 'the run that replaces them is not at its end' AS reason WHERE NOT EXISTS (
  SELECT FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
  WHERE i.inhparent = pg_catalog.to_regclass(${literal(aside)}) AND c.relname = ${literal(first)})`,
      expect: "noRows",
      transaction: "inside",
      undo: { kind: "nothing" },
    },
    {
      kind: "sql",
      id: id("drop"),
      title: `Drop ${first} and what was kept with it`,
      sql: `DO ${literal(body)};\n${dropAsideSql({ schema, names })}`,
      locks: locked.locks,
      creates: locked.creates,
      transaction: "commitAfter",
      undo: { kind: "irreversible", reason: "the old partitions are dropped" },
    },
  ];
}
