import type { Difference } from "../../catalog/compare.ts";
import type { Finding, Severity } from "../../catalog/finding.ts";
import type { RelationName } from "../../plan/step.ts";
import { qualified } from "../../sql/quote.ts";
import type { Data } from "./data.ts";
import type { RehearsedLock, RehearsedPlan, RehearsedStep } from "./rehearsal.ts";

/** What findings are made from, beside what was measured of the plans. */
export interface FindingSources {
  readonly data: Data;
  /** Whether a relation was there before the first step: what is newer nobody waits for. */
  readonly wasThere: (relation: RelationName) => boolean;
}

/** What a person should look at in the steps of one plan. */
export function stepFindings(
  { name, up, down }: RehearsedPlan,
  sources: FindingSources,
): readonly Finding[] {
  const of = (steps: readonly RehearsedStep[], way: string, severity: Severity) =>
    steps.flatMap((step) => {
      const object = `step "${step.id}" of "${name}"${way}`;
      return [...failures(step, object), ...underLocks(step, object, severity, sources)];
    });
  return [...of(up.steps, "", "error"), ...of(down?.steps ?? [], ", taken back", "warning")];
}

function failures({ state, failure }: RehearsedStep, object: string): readonly Finding[] {
  if (state !== "failed") return [];
  return [finding("step-failed", "error", object, failure ?? "it failed")];
}

/** What is read or written whole while somebody waits. */
function underLocks(
  { kind, locks, measured, rewritten, scanned, changed }: RehearsedStep,
  object: string,
  severity: Severity,
  { data, wasThere }: FindingSources,
): readonly Finding[] {
  const strong = locks.filter((lock) => measured && wasThere(lock) && /writers/.test(lock.blocks));
  const waiting = strong.map((lock) => `${lock.blocks} of ${nameOf(lock)}`).join(", ");
  const long = (check: string, what: string) =>
    finding(check, severity, object, `${what} while ${waiting} wait`);
  return [
    ...(strong.length === 0
      ? []
      : [
          ...rewritten
            .filter(wasThere)
            .map((table) =>
              long("rewrite-under-lock", `writes every row of ${nameOf(table)} anew`),
            ),
          ...scanned
            .filter(wasThere)
            .filter((table) => !rewritten.some((other) => nameOf(other) === nameOf(table)))
            .map((table) => long("scan-under-lock", `reads every row of ${nameOf(table)}`)),
        ]),
    ...(kind === "backfill" ? [] : changed)
      .filter(
        (table) => wasThere(table) && table.rows >= Math.max(rowsBefore(data, table), FEW_ROWS),
      )
      .map((table) =>
        finding(
          "rows-in-one-transaction",
          "warning",
          object,
          `changes all ${table.rows} rows of ${nameOf(table)} in one transaction: who writes one of them waits for its end; backfill() does it in batches`,
        ),
      ),
  ];
}

/** Fewer are no measure of anything. */
const FEW_ROWS = 5;

function rowsBefore(data: Data, table: RelationName): number {
  return data.get(nameOf(table))?.rows ?? 0;
}

/** Steps that hold other locks than they declare. */
export function undeclaredFindings(
  plan: string,
  way: string,
  undeclared: readonly { readonly step: string; readonly problems: readonly string[] }[],
): readonly Finding[] {
  return undeclared.map(({ step, problems }) =>
    finding(
      "lock-undeclared",
      "error",
      `step "${step}" of "${plan}"${way}`,
      `it holds other locks than it declares: ${problems.join("; ")}`,
    ),
  );
}

/** Where the way down leads to another catalog than the way up came from. */
export function catalogFindings(
  plan: string,
  differences: readonly Difference[],
): readonly Finding[] {
  return differences.map(({ path, before, after }) =>
    finding(
      "catalog-not-restored",
      "error",
      path,
      `after "${plan}" was taken back: was ${before}, is ${after}`,
    ),
  );
}

/** One finding; what mends it is another plan. */
export function finding(
  check: string,
  severity: Severity,
  object: string,
  message: string,
): Finding {
  return { check, severity, object, message, repair: null };
}

/** A relation as SQL. */
export function nameOf({ schema, name }: RelationName | RehearsedLock): string {
  return qualified(schema, name);
}
