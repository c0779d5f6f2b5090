import { readFacts, type Facts } from "../catalog/read-facts.ts";
import type { Finding, Findings } from "../catalog/finding.ts";
import type { Scheme } from "../definition/scheme.ts";
import { isUnderpinError } from "../errors.ts";
import { toExecutor, type DatabaseLike } from "../executor/connect.ts";
import { DEFAULT_RUN_OPTIONS } from "../run/options.ts";
import { qualified } from "../sql/quote.ts";
import { conversionAdvice } from "./advice/conversion.ts";
import { advise, type Advice } from "./advise.ts";
import type { AttachOptions } from "./attach/attach-of.ts";
import { checkFindings } from "./conversion-check-findings.ts";
import { readCheck } from "./conversion-check-reading.ts";
import { sampleConversion, type ConversionSample } from "./conversion-check-sample.ts";
import type { ConversionStrategy, StrategyCheck } from "./conversion-strategy.ts";
import { convertToPartitioned } from "./convert-to-partitioned.ts";
import { namesOf } from "./provision-names.ts";

/** What is to be converted, and what the host knows of its disk. */
export interface CheckConversionOptions
  extends Pick<AttachOptions, "values" | "until" | "primaryKey" | "uniques"> {
  readonly scheme: Scheme;
  /** @default that which fits */
  readonly strategy?: ConversionStrategy;
  /** What is free where the database lies: no SQL tells it. @default unknown */
  readonly bytesFree?: number;
  /** Of what is known already. @default read now, of all schemas */
  readonly facts?: Facts;
  /** How many rows come in a year, for the number of partitions. @default what came in the last year */
  readonly rowsPerYear?: number;
  /** Where other runs are looked for. @default "underpin" */
  readonly runSchema?: string;
}

/** What a conversion would come upon. */
export interface ConversionCheck {
  readonly table: string;
  /** That which was asked for, or that which fits. */
  readonly strategy: ConversionStrategy;
  /** Why it fits. */
  readonly why: string;
  readonly rows: number;
  readonly bytes: number;
  readonly copy: StrategyCheck;
  readonly attach: StrategyCheck;
  /** Partitions that the rows of today need. */
  readonly leaves: number;
  readonly bytesFree: number | null;
  readonly advice: Advice;
  /** An `error` stands in the way; a `warning` changes what the application relies on. */
  readonly findings: Findings;
}

/**
 * Looks at a table before it is converted: what stands in the way, what would no longer hold, how much disk and how long it takes, and which
 * strategy fits. It changes nothing: what it tries on a sample is rolled back.
 *
 * No SQL tells how much disk is free: hand over `bytesFree`, or compare `bytesNeeded` with what the host says.
 *
 * @example
 * import { pgTable, primaryKey, text } from "drizzle-orm/pg-core";
 * import { checkConversion, list, partitionBy } from "underpin/partitioning";
 * import { createTestDatabase } from "underpin/testing";
 *
 * const { db, close } = await createTestDatabase({
 *   setup: "CREATE TABLE orders (id text PRIMARY KEY, shop text NOT NULL)",
 * });
 * const orders = pgTable(
 *   "orders",
 *   { id: text().notNull(), shop: text().notNull() },
 *   (t) => [primaryKey({ columns: [t.shop, t.id] })],
 * );
 * const check = await checkConversion(db, { scheme: partitionBy(orders, list(orders.shop)) });
 * check.findings.some((finding) => finding.check === "key-narrow"); // true
 * await close();
 */
export async function checkConversion(
  db: DatabaseLike,
  options: CheckConversionOptions,
): Promise<ConversionCheck> {
  const {
    scheme,
    bytesFree = null,
    rowsPerYear,
    runSchema = DEFAULT_RUN_OPTIONS.runSchema,
  } = options;
  const executor = toExecutor(db);
  const facts = options.facts ?? (await readFacts(executor));
  const reading = await readCheck(executor, scheme, runSchema);
  const advice = await advise(executor, scheme, rowsPerYear === undefined ? {} : { rowsPerYear });
  const sample = await sampleConversion(executor, scheme);
  const copy: StrategyCheck = {
    refused: refusalOf(options, facts, "copy"),
    // The log of keys, and what dead rows take until vacuum comes.
    bytesNeeded: Math.round((reading.tableBytes + reading.indexBytes) * 1.1),
    durationMs: durationOf(reading.rows, sample, "copyMs"),
  };
  const attach: StrategyCheck = {
    refused: refusalOf(options, facts, "attach"),
    bytesNeeded: newIndexBytes(facts, scheme),
    durationMs: durationOf(reading.rows, sample, "attachMs"),
  };
  const [strategy, why] = chosen(options.strategy, scheme, copy, attach);
  const { schema, table } = namesOf(scheme);
  const leaves = advice.candidates[0]?.forecasts[0]?.leaves ?? 0;
  return {
    table: qualified(schema, table),
    ...{ strategy, why, rows: reading.rows, bytes: reading.tableBytes + reading.indexBytes },
    ...{ copy, attach, leaves, bytesFree, advice },
    findings: checkFindings({
      ...{ scheme, facts, reading, strategy, bytesFree },
      check: strategy === "copy" ? copy : attach,
      locks: lockFindings(advice),
    }),
  };
}

/** The plan itself says what it refuses. */
function refusalOf(
  { scheme, primaryKey, uniques, until }: CheckConversionOptions,
  facts: Facts,
  strategy: ConversionStrategy,
): StrategyCheck["refused"] {
  const common = {
    ...{ facts, scheme },
    ...(primaryKey === undefined ? {} : { primaryKey }),
    ...(uniques === undefined ? {} : { uniques }),
  };
  try {
    if (strategy === "copy") convertToPartitioned({ ...common, strategy });
    else convertToPartitioned({ ...common, strategy, ...(until === undefined ? {} : { until }) });
    return null;
  } catch (error) {
    if (!isUnderpinError(error)) throw error;
    return { message: error.message, hint: error.hint };
  }
}

function chosen(
  asked: ConversionStrategy | undefined,
  scheme: Scheme,
  copy: StrategyCheck,
  attach: StrategyCheck,
): readonly [ConversionStrategy, string] {
  if (asked !== undefined) return [asked, "it was asked for"];
  if (attach.refused === null && copy.refused !== null)
    return ["attach", "the other strategy is refused"];
  if (attach.refused !== null)
    return ["copy", `to attach the table as it is is refused: ${attach.refused.message}`];
  const { strategy, why } = conversionAdvice(scheme);
  return [strategy, why];
}

function newIndexBytes(facts: Facts, scheme: Scheme): number {
  const { schema, table } = namesOf(scheme);
  const primary = facts.indexes.find(
    (each) => each.schema === schema && each.table === table && each.primary,
  );
  if (primary === undefined) return 0;
  const columns = primary.keys.length;
  const wide = columns + scheme.dimensions.length;
  // The wider key, and the present one once more for the way back.
  return Math.round(primary.bytes * (1 + wide / columns));
}

function durationOf(
  rows: number,
  sample: ConversionSample | null,
  what: "copyMs" | "attachMs",
): number | null {
  if (sample === null || sample.rows === 0) return rows === 0 ? 0 : null;
  return Math.ceil((sample[what] * rows) / sample.rows);
}

function lockFindings({ findings }: Advice): readonly Finding[] {
  return findings.filter(({ check }) => check === "lock-table" || check === "partition-advice");
}
