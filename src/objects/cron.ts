import { UnderpinError } from "../errors.ts";
import { doBlock } from "../sql/dollar-quoted.ts";

/** How often a schedule runs: minutes that divide an hour, hours that divide a day, or a day. */
export type CronEvery = `${number} minutes` | `${number} hours` | "1 hour" | "1 day";

/** A statement that is run only where the extension `pg_cron` is installed in the database. */
export function whereCron(statement: string): string {
  return doBlock(
    `BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'pg_cron') THEN ${statement}; END IF; END`,
  );
}

/** An interval in the words of cron. 15 minutes: every minute that 15 divides. */
export function cronOf(every: CronEvery): string {
  const [count = "", unit = ""] = every.split(" ");
  const n = Number(count);
  if (unit.startsWith("minute") && 60 % n === 0) return `*/${n} * * * *`;
  if (unit.startsWith("hour") && 24 % n === 0) return `0 */${n} * * *`;
  if (unit === "day" && n === 1) return "0 0 * * *";
  throw new UnderpinError({
    code: "invalidInput",
    message: `a schedule cannot be every ${every}: the runs would not be evenly spaced`,
    hint: "Take minutes that divide 60, hours that divide 24, or 1 day.",
  });
}
