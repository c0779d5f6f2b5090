import { UnderpinError } from "../errors.ts";
import type { Queryable } from "../executor/executor.ts";
import type { Probe } from "../plan/step.ts";

/** Asks the catalog what became of a statement. */
export async function readProbe(
  db: Queryable,
  { sql }: Probe,
  step: string,
): Promise<"done" | "absent" | "broken"> {
  const rows = await db.query<{ state: unknown }>(sql);
  const state = rows[0]?.state;
  if (rows.length === 1 && (state === "done" || state === "absent" || state === "broken"))
    return state;
  throw new UnderpinError({
    code: "invalidInput",
    message: `the probe of step "${step}" returned ${JSON.stringify(rows)}`,
    hint: "A probe returns one row with one text column named state: done, absent or broken.",
  });
}
