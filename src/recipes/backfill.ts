import { UnderpinError } from "../errors.ts";
import { plan } from "../plan/plan.ts";
import type {
  BackfillChange,
  BackfillStep,
  CheckStep,
  KeyColumn,
  Plan,
  RelationName,
  RowAccess,
  Step,
} from "../plan/step.ts";
import { targetOf, type TableTarget } from "../plan/target.ts";
import type { ThrottleLimits } from "../run/health/throttle.ts";
import { ident, qualified } from "../sql/quote.ts";
import { keyOf, type KeyFacts } from "./backfill-key.ts";

/** What is true of a table once it is filled, as a query of its own. */
export interface BackfillCheck {
  /** One line for a person: `every tenant has rows`. */
  readonly title: string;
  readonly sql: string;
  /** As in a check step. @default "noRows" */
  readonly expect?: CheckStep["expect"];
  /** Relations whose rows it reads beside the table. */
  readonly rows?: readonly RowAccess[];
}

/** Which rows are changed how, and how carefully. */
export type BackfillOptions = TableTarget &
  BackfillChange &
  BackfillKey & {
    /** Keeps plans apart that fill the same table. @default "backfill" */
    readonly name?: string;
    /** Which rows are left to do, about `target`. A row that is done no longer meets it. @default "true" */
    readonly where?: string;
    /** Rows of the first batch. @default 1000 */
    readonly batchSize?: number;
    /** How long a batch should take: its size is adapted towards it; false keeps the size. @default 500 */
    readonly targetMs?: number | false;
    /** How many of one process work side by side. @default 2 */
    readonly workers?: number;
    /** Rest after each batch. @default 0 */
    readonly pauseMs?: number;
    /** How often a batch is tried before its rows are tried in halves. @default 3 */
    readonly maxAttempts?: number;
    /** Above this share of failed batches the run pauses by itself. @default 0.05 */
    readonly maxFailedShare?: number;
    /** When to slow down: limits of the database's health, and a handler that is asked every second; false for never. */
    readonly throttle?:
      | false
      | (Partial<ThrottleLimits> & { readonly handler?: string; readonly version?: number });
    readonly validate?: {
      /** What must be true of each row of a batch once it is changed, about `target`. */
      readonly row?: string;
      /** What must be true at the end. */
      readonly end?: readonly BackfillCheck[];
      /** Whether the run fails while a row meets `where` at the end. @default true with `set` and `transform`, where there is a `where` */
      readonly nothingLeft?: boolean;
    };
    /** Relations whose rows the change reads or writes beside the table. */
    readonly rows?: readonly RowAccess[];
  };

/** By which unique key rows are gone through: read from the facts, or said. */
export type BackfillKey = { readonly facts: KeyFacts } | { readonly key: readonly KeyColumn[] };

/**
 * Changes the rows of a table in batches while it is read and written: each batch a transaction of its own, by ranges of a unique key
 * that any number of workers on any number of hosts share.
 *
 * How far a range has come is committed with its rows: each row is changed once, whoever is killed when. A writer who is at a
 * row is waited for, and the row changed only if it still meets `where`. A row that cannot be changed is tried three times, set
 * aside with its key and reason, and all others go on.
 *
 * @example
 * import { readFacts } from "underpin";
 * import { backfill } from "underpin/migrations";
 *
 * const facts = await readFacts(db, { schemas: ["public"] });
 * const plan = backfill({ facts, table: "users", set: "email = lower(email)", where: "email <> lower(email)" });
 * const report = await apply(db, plan);
 * report.outcome; // "applied"
 */
export function backfill(options: BackfillOptions): Plan {
  const target = targetOf(options);
  const { name = "backfill" } = options;
  return plan(`${name}-${target.schema}-${target.name}`, backfillSteps(options, target));
}

/** The steps of {@link backfill}, for a recipe of which it is a part. */
export function backfillSteps(
  options: BackfillOptions,
  target: RelationName,
): readonly [BackfillStep, ...Step[]] {
  const { name = "backfill", where = "true", validate = {} } = options;
  const key = "facts" in options ? keyOf(options.facts, target) : options.key;
  refuseBad(options, key, target);
  const { workers = 2, batchSize = 1_000, pauseMs = 0, targetMs = 500, throttle } = options;
  const { maxAttempts, maxFailedShare, rows } = options;
  const fill: BackfillStep = {
    kind: "backfill",
    id: name,
    title: `Change the rows of ${target.name} in batches`,
    table: target,
    key,
    ...changeOf(options),
    where,
    batchSize,
    pauseMs,
    workers,
    ...(targetMs === false ? {} : { targetMs }),
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
    ...(maxFailedShare === undefined ? {} : { maxFailedShare }),
    ...(validate.row === undefined ? {} : { rowCheck: validate.row }),
    ...throttleOf(throttle),
    ...(rows === undefined ? {} : { rows }),
    undo: { kind: "nothing" },
  };
  const { nothingLeft = where !== "true" && !("sql" in options) } = validate;
  const table = qualified(target.schema, target.name);
  const columns = key.map((column) => `target.${ident(column.name)}`).join(", ");
  const left: BackfillCheck = {
    title: `No row of ${target.name} is left to do`,
    sql: `SELECT ${columns} FROM ${table} AS target WHERE ${where}`,
  };
  const checks = [...(nothingLeft ? [left] : []), ...(validate.end ?? [])];
  return [
    fill,
    ...checks.map(
      ({ title, sql, expect = "noRows", rows: read = [] }, at): CheckStep => ({
        kind: "check",
        id: `${name}-check-${at + 1}`,
        title,
        sql,
        expect,
        rows: [{ ...target, access: "read" }, ...read],
        transaction: "commitAfter",
        undo: { kind: "nothing" },
      }),
    ),
  ];
}

function changeOf(options: BackfillOptions): BackfillChange {
  if ("set" in options) return { set: options.set };
  if (!("sql" in options)) return { transform: options.transform };
  const { sql, lockRows } = options;
  return lockRows === undefined ? { sql } : { sql, lockRows };
}

function throttleOf(
  throttle: BackfillOptions["throttle"],
): Pick<BackfillStep, "throttle" | "throttleLimits"> {
  if (throttle === undefined) return {};
  if (throttle === false) return { throttleLimits: false };
  const { handler, version = 1, ...limits } = throttle;
  return {
    ...(handler === undefined ? {} : { throttle: { handler, version } }),
    ...(Object.keys(limits).length === 0 ? {} : { throttleLimits: limits }),
  };
}

function refuseBad(
  options: BackfillOptions,
  key: readonly KeyColumn[],
  { schema, name }: RelationName,
): void {
  const { batchSize = 1, workers = 1, pauseMs = 0, maxAttempts = 1 } = options;
  const numbers = { batchSize, workers, maxAttempts };
  const wrong = Object.entries(numbers).find(([, value]) => !Number.isInteger(value) || value < 1);
  const [what, value] = wrong ?? (pauseMs >= 0 ? [] : ["pauseMs", pauseMs]);
  if (what !== undefined)
    throw new UnderpinError({
      code: "invalidInput",
      message: `${what} of the backfill of ${qualified(schema, name)} is ${value}`,
      hint: "Give a whole number of 1 or more; a rest may be 0.",
    });
  if (key.length === 0)
    throw new UnderpinError({
      code: "invalidInput",
      message: `the backfill of ${qualified(schema, name)} has no key`,
      hint: 'Name the columns of a unique key that is never NULL: key: [{ name: "id", type: "bigint" }], or hand over facts.',
    });
}
