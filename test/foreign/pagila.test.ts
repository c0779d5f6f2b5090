import { join } from "node:path";
import { integer, pgTable, primaryKey, timestamp } from "drizzle-orm/pg-core";
import type { Sql } from "postgres";
import { beforeEach, describe, expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { convertPrimaryKey } from "../../src/migrations/convert-primary-key.ts";
import { convertToPartitioned } from "../../src/partitioning/convert-to-partitioned.ts";
import { hash, partitionBy, range } from "../../src/partitioning/partition-by.ts";
import type { Plan } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm } from "../../src/run/control.ts";
import type { Report } from "../../src/run/report.ts";
import { undo } from "../../src/run/undo.ts";
import { ident } from "../../src/sql/quote.ts";
import { onServers } from "../support/server.ts";
import { loadDump } from "./load-dump.ts";

/**
 * Where pagila-schema.sql and pagila-data.sql are, as `git clone https://github.com/devrimgunduz/pagila` has them at its tag
 * pagila-v3.1.0, the last that runs on PostgreSQL 15.
 */
const directory = process.env.PAGILA;

const MINUTES = 60_000;
/** Unique without the key of a rental. */
const INDEX = "idx_unq_rental_rental_date_inventory_id_customer_id";

const rental = pgTable(
  "rental",
  {
    rentalId: integer("rental_id").notNull(),
    rentalDate: timestamp("rental_date", { withTimezone: true }).notNull(),
  },
  (t) => [primaryKey({ name: "rental_pkey", columns: [t.rentalId] })],
);

if (directory === undefined)
  describe.skip("pagila (skipped: set PAGILA to the directory of pagila-schema.sql and pagila-data.sql)", () => {
    it("is converted and taken back", () => undefined);
  });
else
  onServers("pagila", (server) => {
    const facts = async () => readFacts(server.sql(), { schemas: ["public"] });
    const look = async () => canonical(await readFacts(server.sql()), { leaveOut: ["underpin"] });

    beforeEach(async () => {
      await server
        .sql()
        .unsafe(
          "DROP SCHEMA IF EXISTS underpin CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public",
        );
      await loadDump(server.url(), join(directory, "pagila-schema.sql"));
      await loadDump(server.url(), join(directory, "pagila-data.sql"));
    });

    it(
      "has all its integer keys converted to uuids as far as its views allow, and is what it was when that is taken back",
      async () => {
        const [before, rows] = [await look(), await rowsOf(server.sql())];
        const plan = convertPrimaryKey({ facts: await facts(), tables: "all", to: "uuid" });
        // As who may: its triggers would set last_update of every row that is filled in.
        const migrator = server.connect({ connection: { session_replication_role: "replica" } });
        const waiting = await throughGates(migrator, plan, "contract/integers-go");
        expect(waiting.outcome).toBe("waiting");
        const keyed = await server.sql()<{ n: number }[]>`
          select count(*)::int as n from pg_catalog.pg_constraint as k
          join pg_catalog.pg_attribute as a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
          where k.contype = 'p' and k.connamespace = 'public'::regnamespace and a.atttypid = 'uuid'::regtype`;
        expect(keyed).toEqual([{ n: 14 }]);
        expect(await rowsOf(server.sql(), rows)).toEqual(rows);

        // Its views and functions read the integers: they are named, and nothing of the contract is begun.
        const refused = await throughGates(migrator, plan);
        expect(refused.failure?.message).toMatch(/view actor_info/);
        expect(refused.steps.find(({ id }) => id === refused.failure?.step)?.state).toBe(
          "unapplied",
        );

        const { failure } = await undo(migrator, plan);
        expect(failure).toBeUndefined();
        expect(compareCatalogs(before, await look())).toEqual([]);
        expect(await rowsOf(server.sql(), rows)).toEqual(rows);
      },
      10 * MINUTES,
    );

    it(
      "has its rentals spread over partitions by their key, and is what it was when that is taken back",
      async () => {
        const [before, rows] = [await look(), await rowsOf(server.sql())];
        const scheme = partitionBy(rental, hash(rental.rentalId, { modulus: 4 }));
        const given = await facts();
        const uniques = { [INDEX]: "index" } as const;
        const plan = convertToPartitioned({ facts: given, scheme, strategy: "copy", uniques });
        expect((await throughGates(server.sql(), plan)).outcome).toBe("applied");
        expect(await rowsOf(server.sql(), rows)).toEqual(rows);
        const { failure } = await undo(server.sql(), plan);
        expect(failure).toBeUndefined();
        expect(compareCatalogs(before, await look())).toEqual([]);
        expect(await rowsOf(server.sql(), rows)).toEqual(rows);
      },
      10 * MINUTES,
    );

    it("is not touched where partitions would break what is unique or refers to a rental", async () => {
      const before = await look();
      const given = await facts();
      const byKey = partitionBy(rental, hash(rental.rentalId, { modulus: 4 }));
      expect(() => convertToPartitioned({ facts: given, scheme: byKey, strategy: "copy" })).toThrow(
        INDEX,
      );
      const byTime = partitionBy(rental, range(rental.rentalDate, { every: "1 month" }));
      expect(() =>
        convertToPartitioned({ facts: given, scheme: byTime, strategy: "copy" }),
      ).toThrow(/payment_p2022_01_rental_id_fkey/);
      expect(compareCatalogs(before, await look())).toEqual([]);
    });
  });

/** Goes on through the gates, before the last one where it is given, and returns what became of it. */
async function throughGates(db: Sql, plan: Plan, last?: string): Promise<Report> {
  for (;;) {
    const report = await apply(db, plan);
    if (report.outcome !== "waiting") return report;
    const gate = plan.steps.find(
      ({ id, kind }) =>
        kind === "gate" && report.steps.find((each) => each.id === id)?.state === "unapplied",
    );
    if (gate?.id === last) return report;
    await confirm(db, plan.name, gate?.id ?? "");
  }
}

type Rows = Readonly<
  Record<string, { readonly columns: readonly string[]; readonly digest: string }>
>;

/** A digest of the rows of each table; of those that were looked at before the columns that they had. */
async function rowsOf(sql: Sql, before?: Rows): Promise<Rows> {
  const tables = await sql<{ name: string; columns: string[] }[]>`
    select c.relname as name, array_agg(a.attname::text order by a.attnum) as columns
    from pg_catalog.pg_class as c join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    group by 1 order by 1`;
  const rows: Record<string, { columns: readonly string[]; digest: string }> = {};
  for (const { name, columns } of tables) {
    if (before !== undefined && before[name] === undefined) continue;
    const looked = before?.[name]?.columns ?? columns;
    const row = `(${looked.map(ident).join(", ")})::text`;
    const [found] = await sql.unsafe<{ digest: string }[]>(
      `SELECT count(*) || ' ' || coalesce(md5(string_agg(${row}, ',' ORDER BY ${row})), '') AS digest FROM public.${ident(name)}`,
    );
    rows[name] = { columns: looked, digest: found?.digest ?? "" };
  }
  return rows;
}
