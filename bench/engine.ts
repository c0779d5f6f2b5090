import postgres from "postgres";
import { plan } from "../src/plan/plan.ts";
import type { Plan, SqlStep } from "../src/plan/step.ts";
import { apply } from "../src/run/apply.ts";
import type { Bench } from "./bench.ts";
import { figure } from "./figure.ts";
import { measure } from "./measure.ts";

const STEPS = 200;

/** What a journaled, fenced, undoable step costs against the bare statement, on one connection each. */
export const bench: Bench = async ({ url, say }) => {
  const ours = postgres(url, { onnotice: () => undefined });
  const theirs = postgres(url, { max: 1, onnotice: () => undefined });
  let run = 0;
  const applied = async (transaction: "inside" | "commitAfter") => {
    const report = await apply(ours, steps(`run ${++run}`, transaction));
    if (report.outcome !== "applied") throw new Error(`the run ended ${report.outcome}`);
  };
  try {
    await theirs.unsafe("CREATE TABLE measured (id integer)");
    say(`${STEPS} steps, each its own transaction`);
    const each = await measure({
      ours: () => applied("commitAfter"),
      theirs: async () => {
        for (let n = 0; n < STEPS; n++)
          await theirs.begin((transaction) => transaction.unsafe(statement(n)));
      },
    });
    say(`${STEPS} steps in one transaction`);
    const together = await measure({
      ours: () => applied("inside"),
      theirs: () =>
        theirs.begin(async (transaction) => {
          for (let n = 0; n < STEPS; n++) await transaction.unsafe(statement(n));
        }),
    });
    return [
      figure({ what: `${STEPS} steps, each committed`, ours: each.ours, theirs: each.theirs }),
      figure({
        what: `${STEPS} steps in one transaction`,
        ours: together.ours,
        theirs: together.theirs,
      }),
      figure({ what: "one step, committed", ours: each.ours.median / STEPS, unit: "ms" }),
    ];
  } finally {
    await ours.end();
    await theirs.end();
  }
};

/** Short, and different each time. */
function statement(n: number): string {
  return `COMMENT ON TABLE measured IS 'number ${n}'`;
}

function steps(name: string, transaction: "inside" | "commitAfter"): Plan {
  return plan(
    name,
    Array.from(
      { length: STEPS },
      (_, n): SqlStep => ({
        kind: "sql",
        id: `step ${n}`,
        title: `Comment ${n}`,
        sql: statement(n),
        locks: [{ schema: "public", name: "measured", mode: "shareUpdateExclusive" }],
        transaction,
        undo: { kind: "nothing" },
      }),
    ),
  );
}
