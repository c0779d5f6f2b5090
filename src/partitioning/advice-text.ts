import type { Advice } from "./advise.ts";

/**
 * Advice as lines for a terminal: the verdict, the figures of each way to cut the table, the queries, and what it rests on.
 *
 * @example
 * import { apply, planInstall } from "underpin";
 * import { advise, adviceText } from "underpin/partitioning";
 * import { definition, schemes } from "underpin/schema/reporting";
 *
 * await apply(db, planInstall(definition));
 * const text = adviceText(await advise(db, schemes.auditLogs));
 * text.includes("an index alone"); // true
 */
export function adviceText(advice: Advice): string {
  const { table, verdict, best, candidates, planning, statistics, queries, findings } = advice;
  const { conversion } = advice;
  const years = candidates[0]?.forecasts.map(({ year }) => year) ?? [];
  return [
    `${table}: ${VERDICT[verdict]}${verdict === "simplify" ? `: ${best.name}` : ""}`,
    `  ${count(statistics.rows)} rows, ${size(statistics.bytes)} with ${statistics.indexes} indexes, ${count(advice.rowsPerYear)} more a year`,
    "",
    ...candidates.flatMap(({ name, forecasts, faults }) => [
      `${name === best.name ? "*" : " "} ${name}`,
      ...(IN_FULL.has(name) || name === best.name ? forecasts : forecasts.slice(-1)).map(
        (each) =>
          `    ${each.year === 0 ? "now" : `+${each.year} y`.padEnd(3)}  ${count(each.rows)} rows, ${size(each.bytes)}, ${count(each.leaves)} leaves of ${count(each.averageRows)} rows (${size(each.averageBytes)}), largest ${count(each.largestRows)}; unpruned ${count(each.unprunedLocks)} locks, planned in ${milliseconds(each.planningMs.unpruned)} (pruned ${milliseconds(each.planningMs.pruned)})`,
      ),
      ...faults.map((fault) => `    against it: ${fault}`),
    ]),
    "",
    `the lock table has room for ${count(advice.lockTable)}; planning was ${planning.how === "measured" ? "measured on 40 partitions that were rolled back, and goes on in a line" : "estimated, since nothing could be created here"}`,
    ...(conversion === null || verdict === "index"
      ? []
      : [`to partition it: strategy "${conversion.strategy}": ${conversion.why}`]),
    ...(queries.length === 0 ? ["no query is known: none was given, none was counted"] : []),
    ...queries.map(
      ({ prunes, calls, query }) =>
        `  ${PRUNES[prunes]} ${count(calls)} × ${query.replaceAll(/\s+/g, " ").slice(0, 100)}`,
    ),
    ...findings.map(({ severity, message }) => `${severity}: ${message}`),
    ...(years.length > 1
      ? ["if rows keep coming as in the last year, and no new values of lists do"]
      : []),
  ].join("\n");
}

/** Of the others the last year says enough. */
const IN_FULL = new Set(["the scheme"]);

const VERDICT = {
  partition: "the scheme suits it",
  simplify: "a simpler scheme does better",
  index: "no partitions: an index alone does",
} as const;

const PRUNES = {
  yes: "prunes       ",
  partly: "prunes partly",
  no: "visits all   ",
  unknown: "unknown      ",
} as const;

function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function milliseconds(value: number): string {
  return value < 10 ? `${value.toFixed(1)} ms` : `${count(value)} ms`;
}

function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const at = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), units.length - 1);
  const value = bytes / 1024 ** at;
  return `${value < 10 && at > 0 ? value.toFixed(1) : Math.round(value)} ${units[at] ?? "B"}`;
}
