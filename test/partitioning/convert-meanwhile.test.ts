// Long because: one change at each of its moments, the naive ways beside it, and each refusal, of one table.
import { beforeEach, describe, expect, it } from "vitest";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { sqlStateOf } from "../../src/errors.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import { convertToPartitioned } from "../../src/partitioning/convert-to-partitioned.ts";
import type { CopyToPartitionedOptions } from "../../src/partitioning/convert/copy-options.ts";
import { dropUnpartitioned } from "../../src/partitioning/drop-unpartitioned.ts";
import type { Plan } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import { confirm } from "../../src/run/control.ts";
import { undo } from "../../src/run/undo.ts";
import { onEngines } from "../support/server.ts";
import { BESIDE, NAMES, plainSetup, ROWS, scheme, TABLE } from "./convert-fixture.ts";
import { schema } from "./scheme-fixture.ts";

const SAID = {
  uniques: { "a number": "index" },
  incoming: { note_of: ["program_id", "site_id", "created_at", "reading"] },
} as const satisfies Partial<CopyToPartitionedOptions>;

onEngines("A plain table on its way to partitions", (engine) => {
  const db = () => toExecutor(engine.db());
  const facts = () => readFacts(engine.db(), { schemas: NAMES });
  const rows = async (of = TABLE) => {
    const [row] = await db().query<{ rows: string }>(
      `SELECT coalesce(string_agg(value::text, ',' ORDER BY value), '') AS rows FROM ${of}`,
    );
    return row?.rows ?? "";
  };
  const write = (value: number, day: string, site = "s1", program = "p1") =>
    db().query(
      `INSERT INTO ${TABLE} (program_id, site_id, created_at, value) VALUES ('${program}', '${site}', '${day}', ${value})`,
    );
  const convert = async (options: Partial<CopyToPartitionedOptions> = SAID): Promise<Plan> =>
    convertToPartitioned({
      facts: await facts(),
      scheme,
      strategy: "copy",
      ...options,
    });
  const applied = async (plan: Plan) => {
    const report = await apply(engine.db(), plan);
    expect(report.failure).toBeUndefined();
    expect(report.outcome).toBe("applied");
  };
  const stopAfter = async (plan: Plan, step: string) => {
    const stop = new AbortController();
    await apply(engine.db(), plan, {
      signal: stop.signal,
      onEvent: (event) => {
        if (event.type === "stepApplied" && event.step === step) stop.abort();
      },
    });
  };
  const refusalOf = (statement: string) =>
    db()
      .query(statement)
      .then(() => "done", sqlStateOf);

  beforeEach(async () => {
    await db().query(
      `DROP SCHEMA IF EXISTS ${schema} CASCADE; DROP SCHEMA IF EXISTS underpin CASCADE; DROP SCHEMA IF EXISTS elsewhere CASCADE;
       ${plainSetup()}; ${BESIDE}; ${ROWS}`,
    );
  });

  it("gets partitions for values that nobody had before, at every moment of the copy", async () => {
    const plan = await convert();
    let value = 100;
    for (const step of ["provision", "copy", "catch-up", "catch-up-again", "catch-up-last"]) {
      await stopAfter(plan, step);
      await write(value, `2019-0${1 + (value % 5)}-03`, `site ${value}`, "p2");
      await db().query(`UPDATE ${TABLE} SET created_at = '2018-05-05' WHERE value = ${value - 1}`);
      value++;
    }
    await applied(plan);
    expect(await rows()).toBe("1,2,3,10,20,30,100,101,102,103,104");
    expect(await rows(`${schema}.readings_unpartitioned`)).toBe(await rows());
  });

  it("takes over what was deleted, truncated and moved, and a value that went from one row to another", async () => {
    const plan = await convert();
    await stopAfter(plan, "copy");
    await db().query(
      `DELETE FROM ${TABLE} WHERE value = 1;
       UPDATE ${TABLE} SET created_at = '2026-02-03', site_id = 's2' WHERE value = 2;
       UPDATE ${TABLE} SET reading_id = gen_random_uuid() WHERE value = 3`,
    );
    await stopAfter(plan, "catch-up");
    expect(await rows(`${schema}.readings_parts`)).toBe("2,3,10,20,30");
    await db().query(`TRUNCATE ${TABLE} CASCADE`);
    await write(5, "2026-01-05");
    await applied(plan);
    expect(await rows()).toBe("5");
    await db().query(`TRUNCATE ${TABLE} CASCADE`);
    await write(6, "2026-01-05");
    expect(await undo(engine.db(), plan)).toMatchObject({ outcome: "undone" });
    expect(await rows()).toBe("6");
  });

  it("lets an application delete what a row referred to, whichever of the two tables has the name", async () => {
    const plan = await convert();
    const leaves = async () => {
      await db().query(`INSERT INTO ${schema}.programs VALUES ('p9')`);
      await write(9, "2026-01-05", "s1", "p9");
      await stopAfter(plan, "functions");
    };
    await stopAfter(plan, "provision");
    await leaves();
    await db().query(
      `DELETE FROM ${TABLE} WHERE value = 9; DELETE FROM ${schema}.programs WHERE program_id = 'p9'`,
    );
    await applied(plan);
    expect(await rows()).toBe("1,2,3,10,20,30");
    await db().query(`DELETE FROM ${TABLE} WHERE value < 4 OR value = 10 OR value = 30`);
    await db().query(
      `DELETE FROM elsewhere.notes; DELETE FROM ${TABLE}; DELETE FROM ${schema}.programs`,
    );
    expect(await undo(engine.db(), plan)).toMatchObject({ outcome: "undone" });
    expect(await rows()).toBe("");
  });

  it("lets an application meet rows by the new key before and after, and by the old one until the gate", async () => {
    const plan = await convert({ ...SAID, overlap: true });
    const [row] = await db().query<{ id: string }>(
      `SELECT reading_id::text AS id FROM ${TABLE} WHERE value = 1`,
    );
    const upsert = (key: string, value: number) =>
      refusalOf(
        `INSERT INTO ${TABLE} (program_id, site_id, created_at, reading_id, value) VALUES ('p1', 's1', '2026-01-01', '${row?.id ?? ""}', ${value})
         ON CONFLICT (${key}) DO UPDATE SET value = EXCLUDED.value`,
      );
    const wide = "program_id, site_id, created_at, reading_id";
    expect(await apply(engine.db(), plan)).toMatchObject({ outcome: "waiting" });
    expect([await upsert("reading_id", 4), await upsert(wide, 5)]).toEqual(["done", "done"]);
    await confirm(engine.db(), plan.name, "nobody-names-the-old-key");
    await applied(plan);
    expect([await upsert("reading_id", 6), await upsert(wide, 7)]).toEqual(["42P10", "done"]);
    expect(await rows()).toBe("2,3,7,10,20,30");
    expect(await undo(engine.db(), plan)).toMatchObject({ outcome: "undone" });
    expect(await rows()).toBe("2,3,7,10,20,30");
  });

  it("holds what refers to it, before and after", async () => {
    await applied(await convert());
    expect(
      await refusalOf(
        `INSERT INTO elsewhere.notes VALUES ('p1', 's1', '2026-01-01', gen_random_uuid())`,
      ),
    ).toBe("23503");
    expect(
      await refusalOf(
        `INSERT INTO ${TABLE} (program_id, site_id, created_at) VALUES ('nobody', 's1', '2026-01-01')`,
      ),
    ).not.toBe("done");
    await db().query(`DELETE FROM ${TABLE} WHERE value = 20`);
    expect(await db().query(`SELECT 1 AS note FROM elsewhere.notes`)).toEqual([]);
  });

  it("is dropped for good behind a gate", async () => {
    const plan = await convert();
    await applied(plan);
    const drop = dropUnpartitioned({
      facts: await facts(),
      schema: `we"ird Schema`,
      table: "readings",
      plan,
    });
    expect(await apply(engine.db(), drop)).toMatchObject({ outcome: "waiting" });
    expect(await rows(`${schema}.readings_unpartitioned`)).toBe("1,2,3,10,20,30");
    await confirm(engine.db(), drop.name, "nobody-wants-it-back");
    await applied(drop);
    await write(5, "2026-01-03");
    expect(await rows()).toBe("1,2,3,5,10,20,30");
    const { tables, functions, sequences } = await facts();
    expect(
      [...tables, ...functions, ...sequences]
        .map(({ name }) => name)
        .filter((name) => /readings_(parts|unpart)/.test(name)),
    ).toEqual([]);
  });

  describe("is not what the naive ways make of it:", () => {
    const naive = `CREATE TABLE ${schema}.naive (LIKE ${TABLE} INCLUDING DEFAULTS, PRIMARY KEY (program_id, site_id, created_at, reading_id)) PARTITION BY LIST (program_id);
      CREATE TABLE ${schema}.naive_p1 PARTITION OF ${schema}.naive FOR VALUES IN ('p1');
      ALTER TABLE ${schema}.naive ALTER COLUMN n DROP NOT NULL`;

    it("a copy that meets rows by the old key finds no key", async () => {
      await db().query(naive);
      expect(
        await refusalOf(
          `INSERT INTO ${schema}.naive OVERRIDING SYSTEM VALUE SELECT * FROM ${TABLE} ON CONFLICT (reading_id) DO NOTHING`,
        ),
      ).toBe("42P10");
    });

    it("a trigger for INSERT and UPDATE keeps what was deleted, truncated and moved", async () => {
      await db().query(`${naive};
        CREATE FUNCTION ${schema}.sync() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          INSERT INTO ${schema}.naive (program_id, site_id, created_at, reading_id, value)
          VALUES (NEW.program_id, NEW.site_id, NEW.created_at, NEW.reading_id, NEW.value)
          ON CONFLICT (program_id, site_id, created_at, reading_id) DO UPDATE SET value = EXCLUDED.value; RETURN NEW; END $$;
        CREATE TRIGGER sync AFTER INSERT OR UPDATE ON ${TABLE} FOR EACH ROW EXECUTE FUNCTION ${schema}.sync()`);
      await db().query(
        `UPDATE ${TABLE} SET value = value; UPDATE ${TABLE} SET site_id = 's3' WHERE value = 1; DELETE FROM ${TABLE} WHERE value = 2; TRUNCATE ${TABLE} CASCADE`,
      );
      expect(await rows(`${schema}.naive`)).toBe("1,1,2,3,10,20,30");
    });

    it("a rename takes no grant, policy, view or foreign key along, and a DROP … CASCADE loses what was written since", async () => {
      await db().query(`${naive};
        INSERT INTO ${schema}.naive (program_id, site_id, created_at, reading_id, value)
          SELECT program_id, site_id, created_at, reading_id, value FROM ${TABLE};
        ALTER TABLE ${TABLE} RENAME TO readings_old; ALTER TABLE ${schema}.naive RENAME TO readings`);
      await db().query(
        `INSERT INTO ${TABLE} (program_id, site_id, created_at, reading_id, value) VALUES ('p1', 's1', '2026-01-09', gen_random_uuid(), 50)`,
      );
      const after = await facts();
      const of = (list: readonly { readonly table: string }[]) =>
        list.filter(({ table }) => table === "readings");
      expect([
        of(after.policies),
        after.grants.filter(
          ({ name, grantee }) => name === "readings" && grantee === "parts_reader",
        ),
      ]).toEqual([[], []]);
      expect(await rows("elsewhere.high")).toBe("20,30");
      expect(
        await refusalOf(
          `INSERT INTO elsewhere.notes SELECT program_id, site_id, created_at, reading_id FROM ${TABLE} WHERE value = 50`,
        ),
      ).toBe("23503");
      await db().query(
        `DROP TABLE ${TABLE} CASCADE; ALTER TABLE ${schema}.readings_old RENAME TO readings`,
      );
      expect(await rows()).toBe("1,2,3,10,20,30");
    });
  });

  describe("is refused by name, with a remedy,", () => {
    it.each<readonly [string, string, RegExp, Partial<CopyToPartitionedOptions>]>([
      [
        "a unique constraint that would mean something else",
        "",
        /has a number, which lacks program_id/,
        { incoming: SAID.incoming },
      ],
      [
        "a foreign key to it over other columns",
        `ALTER TABLE elsewhere.notes DROP COLUMN site_id`,
        /referred to by note_of of "elsewhere"."notes"/,
        { uniques: SAID.uniques },
      ],
      [
        "NULL in a dimension",
        `ALTER TABLE ${TABLE} ALTER COLUMN site_id DROP NOT NULL`,
        /may have NULL in site_id/,
        SAID,
      ],
      [
        "a materialized view over another",
        `CREATE MATERIALIZED VIEW elsewhere.m AS SELECT value FROM elsewhere.counted`,
        /"elsewhere"."counted" is used by "elsewhere"."m"/,
        SAID,
      ],
      [
        "a publication",
        `CREATE PUBLICATION parts_pub FOR TABLE ${TABLE}`,
        /publication parts_pub/,
        SAID,
      ],
      [
        "a constraint that was never proved",
        `ALTER TABLE ${TABLE} ADD CONSTRAINT later CHECK (value < 10) NOT VALID`,
        /has later, which its rows were never proved/,
        SAID,
      ],
      [
        "an exclusion constraint",
        `ALTER TABLE ${TABLE} ADD CONSTRAINT apart EXCLUDE (number WITH =)`,
        /exclusion constraint apart/,
        SAID,
      ],
      [
        "a rule",
        `CREATE RULE no AS ON DELETE TO ${TABLE} WHERE old.value = 1 DO INSTEAD NOTHING`,
        /has the rule no/,
        SAID,
      ],
      [
        "a name that is taken",
        `CREATE TABLE ${schema}.readings_unpartitioned ()`,
        /name readings_unpartitioned/,
        SAID,
      ],
      [
        "a mark for CLUSTER",
        `CLUSTER ${TABLE} USING readings_value_idx`,
        /clustered by readings_value_idx/,
        SAID,
      ],
    ])("%s", async (_, make, message, options) => {
      if (make !== "") await db().query(make);
      try {
        await expect(convert(options)).rejects.toThrow(message);
      } finally {
        await db().query("DROP PUBLICATION IF EXISTS parts_pub");
      }
    });

    it("what came later or was not read", async () => {
      const plan = await convert();
      await db().query(`CREATE VIEW elsewhere.v AS SELECT value FROM ${TABLE};
        CREATE STATISTICS elsewhere.pair (mcv) ON program_id, site_id FROM ${TABLE};
        CREATE VIEW elsewhere.grouped AS SELECT reading_id, value FROM ${TABLE} GROUP BY reading_id`);
      const { failure } = await apply(engine.db(), plan);
      expect(failure).toMatchObject({ code: "checkFailed" });
      for (const what of [
        /view elsewhere.v/,
        /statistics object elsewhere.pair/,
        /view elsewhere.grouped/,
      ])
        expect(failure?.message).toMatch(what);
    });

    it("rows that refer to others than they say", async () => {
      await db().query(`UPDATE elsewhere.notes SET site_id = 'another'`);
      const { failure } = await apply(engine.db(), await convert());
      expect(failure?.message).toMatch(/note_of/);
    });
  });
});
