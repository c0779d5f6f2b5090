import postgres from "postgres";
import { canonical } from "../src/catalog/canonical.ts";
import { compareCatalogs } from "../src/catalog/compare.ts";
import { readFacts, type Facts } from "../src/catalog/read-facts.ts";
import type { Bench } from "./bench.ts";
import { figure } from "./figure.ts";
import { measure, measureAlone } from "./measure.ts";
import { readPerTable, type Found } from "./naive-facts.ts";

const TABLES = 1_000;
const SCHEMA = "bench";
const OPTIONS = { max: 1, onnotice: () => undefined };

/** `readFacts` on 1,000 tables, against a reader that asks for each table, on one connection each. */
export const bench: Bench = async ({ url, say }) => {
  const ours = postgres(url, OPTIONS);
  const theirs = postgres(url, OPTIONS);
  try {
    say(`creating ${TABLES} tables`);
    await create(ours);
    const facts = await readFacts(ours, { schemas: [SCHEMA] });
    const naive = await readPerTable(theirs, SCHEMA);
    mustBeEqual(facts, naive);

    say("reading them by turns");
    const warm = await measure(
      {
        ours: () => readFacts(ours, { schemas: [SCHEMA] }),
        theirs: () => readPerTable(theirs, SCHEMA),
      },
      { rounds: 7 },
    );
    say("reading them on new connections");
    const cold = await measureAlone(
      async () => {
        const fresh = postgres(url, OPTIONS);
        await readFacts(fresh, { schemas: [SCHEMA] });
        await fresh.end();
      },
      { warmUp: 0 },
    );
    const before = canonical(facts);
    const compared = await measureAlone(async () => {
      if (compareCatalogs(before, canonical(facts)).length > 0)
        throw new Error("a catalog differs from itself");
    });
    return [
      figure({
        what: `readFacts, ${TABLES} tables`,
        ours: warm.ours,
        theirs: warm.theirs,
        target: { of: "ours", atMost: 1_000 },
      }),
      figure({
        what: "the same, first on a new connection",
        ours: cold,
        target: { of: "ours", atMost: 1_000 },
      }),
      figure({
        what: "statements sent",
        ours: await statements(url, (sql) => readFacts(sql, { schemas: [SCHEMA] })),
        theirs: await statements(url, (sql) => readPerTable(sql, SCHEMA)),
        unit: "statements",
      }),
      figure({ what: "canonical and compareCatalogs of it", ours: compared }),
    ];
  } finally {
    await ours.end();
    await theirs.end();
  }
};

/** Tables as applications have them: six columns, a primary key, two indexes, a foreign key to the table before. */
async function create(sql: postgres.Sql): Promise<void> {
  await sql.unsafe(`CREATE SCHEMA ${SCHEMA}`);
  for (let first = 1; first <= TABLES; first += 20)
    // Commits of twenty: one transaction of all would fill the lock table.
    await sql.unsafe(
      Array.from({ length: 20 }, (_, index) => first + index)
        .map(
          (n) => `
          CREATE TABLE ${SCHEMA}.t${n} (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            tenant_id bigint NOT NULL,
            parent_id bigint REFERENCES ${SCHEMA}.t${Math.max(1, n - 1)},
            name text NOT NULL DEFAULT 'new',
            amount numeric(12, 2),
            created_at timestamptz NOT NULL DEFAULT now()
          );
          CREATE INDEX ON ${SCHEMA}.t${n} (tenant_id, created_at);
          CREATE INDEX ON ${SCHEMA}.t${n} (parent_id) WHERE amount > 0;`,
        )
        .join("\n"),
    );
}

/** How many statements a reader sends, on a connection of its own: counting them costs time. */
async function statements(
  url: string,
  read: (sql: postgres.Sql) => Promise<unknown>,
): Promise<number> {
  let sent = 0;
  const sql = postgres(url, { ...OPTIONS, fetch_types: false, debug: () => (sent += 1) });
  await read(sql);
  await sql.end();
  return sent;
}

/** A reader that finds less is not faster. */
function mustBeEqual(facts: Facts, naive: Found): void {
  const found: Found = {
    tables: facts.tables.length,
    columns: facts.columns.length,
    constraints: facts.constraints.length,
    indexes: facts.indexes.length,
    grants: facts.grants.filter(({ on }) => on === "relation").length,
  };
  if (JSON.stringify(found) !== JSON.stringify(naive))
    throw new Error(`the readers differ: ${JSON.stringify({ ours: found, theirs: naive })}`);
}
