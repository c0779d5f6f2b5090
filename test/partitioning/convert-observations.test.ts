import { setTimeout as sleep } from "node:timers/promises";
import type { Sql } from "postgres";
import { beforeEach, expect, it } from "vitest";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import { emit } from "../../src/definition/emit/emit.ts";
import { convertToPartitioned } from "../../src/partitioning/convert-to-partitioned.ts";
import { apply } from "../../src/run/apply.ts";
import { undo } from "../../src/run/undo.ts";
import { onServers } from "../support/server.ts";
import {
  domain,
  own,
  submission,
  uuid,
  company,
  companyOf,
  siteOf,
} from "../schema/observations-world.ts";

/** Many more in a run by hand: UNDERPIN_CONVERSION_ROWS=100000. */
const ROWS = Number(process.env["UNDERPIN_CONVERSION_ROWS"] ?? 2_000);

const PLACES = [
  ["abc-123", "north"],
  ["abc-123", "south"],
  ["other", "north"],
] as const;

/** The tables of the domain as they were before anybody partitioned them: an observation has its id for a key. */
function plainTables(): string {
  const { observationsSchema, companies, users, pilotPrograms, sites, submissions } = domain;
  const { petriObservations, gasifierObservations } = domain;
  const objects = emit(
    [
      observationsSchema,
      ...[companies, users, pilotPrograms, sites, submissions],
      ...[petriObservations, gasifierObservations],
    ],
    [],
  );
  const made = ["schema", "type", "table", "index", "constraint"].flatMap((kind) =>
    objects.filter((object) => object.kind === kind).map(({ create }) => create),
  );
  const keys = ["petri_observations", "gasifier_observations"].map(
    (name) => `ALTER TABLE ${own(name)} DROP CONSTRAINT ${name}_pkey;
      ALTER TABLE ${own(name)} ADD CONSTRAINT ${name}_pkey PRIMARY KEY (observation_id)`,
  );
  return [...made, ...keys].join(";\n");
}

interface Kind {
  readonly table: string;
  readonly scheme: (typeof domain.schemes)[0] | (typeof domain.schemes)[1];
  readonly code: string;
  readonly value: string;
}

const KINDS: readonly Kind[] = [
  {
    table: "petri_observations",
    scheme: domain.schemes[0],
    code: "dish_code",
    value: "growth_index",
  },
  {
    table: "gasifier_observations",
    scheme: domain.schemes[1],
    code: "gasifier_code",
    value: "hydrogen_percent",
  },
];

/** Three of an application, each with rows of its own and a note of what it wrote. */
function writersOf(sql: Sql, { table, code, value }: Kind, first = 500_000) {
  const written = new Map<string, number>();
  const errors: string[] = [];
  let stopped = false;
  let next = first;
  const path = own(table);
  const put = (id: string, at: number, month: number) => {
    const [program, site] = PLACES[at % 3] ?? PLACES[0];
    return sql.unsafe(
      `INSERT INTO ${path} (company_id, program_id, site_id, created_at, observation_id, submission_id, ${code}, ${value})
       VALUES ($1, $2, $3, $4, $5, $6, 'A', $7)`,
      [
        company(1),
        program,
        site,
        `2026-0${1 + (month % 6)}-15T00:00Z`,
        id,
        submission(1, at % 3),
        at % 90,
      ],
      { prepare: true },
    );
  };
  const once = async (at: number) => {
    const id = uuid(5, 1, next++);
    await put(id, at, at);
    written.set(id, at % 90);
    if (at % 3 === 0) {
      // Also to another month, and so to another partition.
      await sql.unsafe(
        `UPDATE ${path} SET ${value} = $1, created_at = $2 WHERE observation_id = $3`,
        [(at + 1) % 90, `2026-0${1 + ((at + 1) % 6)}-20T00:00Z`, id],
        { prepare: true },
      );
      written.set(id, (at + 1) % 90);
    } else if (at % 3 === 1) {
      await sql.unsafe(`DELETE FROM ${path} WHERE observation_id = $1`, [id], { prepare: true });
      written.delete(id);
    }
    if (at % 10 === 0) {
      // What an observation refers to goes once the observation is gone.
      const [visit, gone] = [submission(1, 1_000 + next), uuid(5, 1, next++)];
      await sql.begin(async (tx) => {
        await tx.unsafe(
          `INSERT INTO ${own("submissions")} (company_id, submission_id, program_id, site_id, submitted_by)
           VALUES ($1, $2, 'abc-123', 'north', $3)`,
          [company(1), visit, uuid(2, 1, 1)],
        );
        await tx.unsafe(
          `INSERT INTO ${path} (company_id, program_id, site_id, created_at, observation_id, submission_id, ${code})
           VALUES ($1, 'abc-123', 'north', '2026-01-15T00:00Z', $2, $3, 'B')`,
          [company(1), gone, visit],
        );
      });
      await sleep(20);
      await sql.unsafe(`DELETE FROM ${path} WHERE observation_id = $1`, [gone]);
      await sql.unsafe(`DELETE FROM ${own("submissions")} WHERE submission_id = $1`, [visit]);
    }
  };
  const work = async (worker: number) => {
    for (let at = worker; !stopped; at += 3) {
      await once(at).catch((error: unknown) => errors.push(String(error)));
      await sleep(5);
    }
  };
  const running = [0, 1, 2].map(work);
  return {
    written,
    errors,
    put,
    stop: async () => {
      stopped = true;
      await Promise.all(running);
    },
  };
}

onServers("The observations of a table that was never partitioned", (server) => {
  beforeEach(async () => {
    const sql = server.sql();
    await sql.unsafe(
      `DROP SCHEMA IF EXISTS "we""ird Schema" CASCADE; DROP SCHEMA IF EXISTS underpin CASCADE; ${plainTables()}`,
    );
    const db = toExecutor(sql);
    await companyOf(db, 1);
    for (const [at, [program, site]] of PLACES.entries()) await siteOf(db, 1, program, site, at);
  });

  it.each(KINDS)(
    "$table are by program, site and month, and plain again, and no row is lost under writers",
    { timeout: 600_000 + 20 * ROWS },
    async (kind) => {
      const sql = server.sql();
      const { table, scheme, code, value } = kind;
      const path = own(table);
      await sql.unsafe(
        `INSERT INTO ${path} (company_id, program_id, site_id, created_at, observation_id, submission_id, ${code}, ${value})
         SELECT s.company_id, s.program_id, s.site_id, '2026-01-01'::timestamptz + g * interval '180 days' / ${ROWS},
           pg_catalog.md5('old ' || g)::uuid, s.submission_id, 'A', g % 90
         FROM pg_catalog.generate_series(1, ${ROWS}) AS g
         JOIN (SELECT *, pg_catalog.row_number() OVER (ORDER BY submission_id) AS at FROM ${own("submissions")}) AS s ON s.at = 1 + g % 3`,
      );
      const kept = async () => {
        const [row] = await sql.unsafe<{ rows: string; sum: string }[]>(
          `SELECT count(*)::text AS rows, sum(${value})::text AS sum FROM ${path} WHERE observation_id::text NOT LIKE '00000005-%'`,
        );
        return row;
      };
      const ours = async () => {
        const rows = await sql.unsafe<{ id: string; value: string | null }[]>(
          `SELECT observation_id::text AS id, ${value}::text AS value FROM ${path} WHERE observation_id::text LIKE '00000005-%'`,
        );
        return new Map(rows.map((row) => [row.id, Number(row.value)]));
      };
      const before = await kept();
      const writers = writersOf(sql, kind);
      const facts = await readFacts(sql, { schemas: [`we"ird Schema`] });
      const plan = convertToPartitioned({
        facts,
        // Nobody but who installs it may make partitions: the roles of the domain are not there yet.
        scheme: { ...scheme, executeTo: [] },
        strategy: "copy",
        batchSize: 500,
      });
      const report = await apply(sql, plan);
      expect(report.failure).toBeUndefined();
      // What is written since the swap.
      for (let at = 0; at < ROWS; at += 500)
        await sql.unsafe(
          `INSERT INTO ${path} (company_id, program_id, site_id, created_at, observation_id, submission_id, ${code}, ${value})
           SELECT company_id, program_id, site_id, created_at, pg_catalog.md5('new ' || observation_id)::uuid, submission_id, ${code}, ${value}
           FROM ${path} WHERE observation_id IN (SELECT pg_catalog.md5('old ' || g)::uuid FROM pg_catalog.generate_series(${at + 1}, ${at + 500}) AS g)`,
        );
      await writers.stop();
      expect(writers.errors).toEqual([]);
      expect(writers.written.size).toBeGreaterThan(5);
      expect(await ours()).toEqual(writers.written);
      const doubled = await kept();
      expect([doubled?.rows, doubled?.sum].map(Number)).toEqual(
        [before?.rows, before?.sum].map((each) => 2 * Number(each)),
      );

      const again = writersOf(sql, kind, 900_000);
      const undone = await undo(sql, plan);
      expect(undone.failure).toBeUndefined();
      await again.stop();
      expect(again.errors).toEqual([]);
      expect(await ours()).toEqual(new Map([...writers.written, ...again.written]));
      expect(await kept()).toEqual(doubled);
    },
  );
});
