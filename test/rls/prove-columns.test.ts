import { eq, sql } from "drizzle-orm";
import { pgSchema, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { expect, it } from "vitest";
import { defineDatabase } from "../../src/definition/define-database.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { pgFunction } from "../../src/objects/pg-function.ts";
import { pgTrigger } from "../../src/objects/pg-trigger.ts";
import { defineAccess, ids } from "../../src/rls/define-access.ts";
import type { Cell } from "../../src/rls/proof/proof.ts";
import { proveIsolation } from "../../src/rls/prove-isolation.ts";
import { among, custom, own, tenant } from "../../src/rls/row-class.ts";
import { apply } from "../../src/run/apply.ts";
import { definition as progressCard } from "../../src/schema/progress-card/index.ts";
import { definition as testCycles } from "../../src/schema/test-cycles/index.ts";
import { ident } from "../../src/sql/quote.ts";
import { createTestDatabase } from "../../src/testing/create-test-database.ts";
import { progressCardRows } from "./progress-card-rows.ts";

const SCHEMA = 'we"ird Schema';
const space = pgSchema(SCHEMA);

/** Cases, requests by which one is asked about them, and marks that one gives in them. */
function definitionOf(kept: { readonly case: boolean; readonly mark: boolean }) {
  const access = defineAccess({
    schema: SCHEMA,
    tenantColumn: "lobId",
    rolePrefix: "prove_columns",
    migratorRole: "prove_columns_migrator",
    personas: ["holder", "boss"],
    lookups: { asked: ids("uuid") },
  });
  const key = () => ({ lobId: uuid("lob_id").notNull(), id: uuid("id").notNull().defaultRandom() });
  const cases = space
    .table("cases", { ...key(), secret: text("secret") }, (t) => [
      primaryKey({ name: "cases_pkey", columns: [t.lobId, t.id] }),
      ...access.rules(t, {
        unread: { secret: "nobody reads it" },
        select: { holder: among("asked", "id"), boss: tenant },
        update: { boss: tenant },
      }),
    ])
    .enableRLS();
  const requests = space
    .table(
      "requests",
      { ...key(), caseId: uuid("case_id").notNull(), holderId: uuid("holder_id").notNull() },
      (t) => [
        primaryKey({ name: "requests_pkey", columns: [t.lobId, t.id] }),
        ...access.rules(t, {
          lookupColumns: { caseId: "the trigger keep_case refuses another" },
          select: { holder: own("holderId"), boss: tenant },
          update: { holder: own("holderId") },
        }),
      ],
    )
    .enableRLS();
  const marks = space
    .table(
      "marks",
      {
        ...key(),
        caseId: uuid("case_id").notNull(),
        giverId: uuid("giver_id").notNull(),
        note: text("note"),
      },
      (t) => [
        primaryKey({ name: "marks_pkey", columns: [t.lobId, t.id] }),
        ...access.rules(t, {
          select: { holder: among("asked", "caseId"), boss: tenant },
          insert: {
            holder: among("asked", "caseId"),
            boss: custom(
              `"giver_id" = (select "we""ird Schema"."current_user_id"())`,
              "as it would be written by hand",
            ),
          },
          // Whose mark it is, and not of what.
          update: { holder: own("giverId"), boss: tenant },
        }),
      ],
    )
    .enableRLS();
  const keep = (column: string) =>
    pgFunction({
      schema: SCHEMA,
      name: `keep_${column}`,
      returns: "trigger",
      language: "plpgsql",
      volatility: "volatile",
      body: `BEGIN RAISE insufficient_privilege USING MESSAGE = 'kept', CONSTRAINT = 'keep_${column}'; END`,
    });
  const keeping = (table: "requests" | "marks", columns: readonly string[]) => {
    const execute = keep(table);
    return [
      execute,
      pgTrigger({
        schema: SCHEMA,
        table,
        name: "keep",
        timing: "before",
        events: ["update"],
        when: columns.map((column) => `OLD.${column} <> NEW.${column}`).join(" OR "),
        execute,
      }),
    ];
  };
  const whole = access.with({
    asked: (db, me) =>
      db.select({ id: requests.caseId }).from(requests).where(eq(requests.holderId, me.userId)),
  });
  return defineDatabase({
    name: "columns",
    tables: { space, cases, requests, marks },
    access: whole,
    objects: [
      ...(kept.case ? keeping("requests", ["case_id"]) : []),
      ...(kept.mark ? keeping("marks", ["case_id", "giver_id"]) : []),
    ],
  });
}

/** The cells about single columns. */
async function columnCells(kept: Parameters<typeof definitionOf>[0]): Promise<readonly Cell[]> {
  const definition = definitionOf(kept);
  const database = await createTestDatabase({
    setup: async (_, client) => {
      await apply(client, planInstall(definition));
    },
  });
  try {
    const proof = await proveIsolation(database.client, definition, { mutate: false });
    expect(proof.problems).toEqual([]);
    return proof.cells.filter(({ command }) =>
      /which lookups read$|past what may be|^select secret$/.test(command),
    );
  } finally {
    await database.close();
  }
}

const statuses = (cells: readonly Cell[]) => [
  ...new Set(cells.map(({ persona, command, status }) => `${persona}: ${command}: ${status}`)),
];

it("shows who could choose what its lookups yield, and who could make a row what they could not insert", async () => {
  const cells = await columnCells({ case: false, mark: false });
  const found = statuses(cells);
  expect(found).toContain("holder: update case_id, which lookups read: broken");
  expect(found).toContain("holder: update case_id past what may be inserted: broken");
  expect(found).toContain("boss: update giver_id past what may be inserted: broken");
  expect(cells.find(({ command }) => command.endsWith("lookups read"))?.reason).toMatch(
    /^its lookups yield asked [0-9a-f-]{36}, too$/,
  );
});

it("holds where triggers keep what they are said to keep, and nobody reads what is unread", async () => {
  expect(statuses(await columnCells({ case: true, mark: true }))).toEqual(
    expect.arrayContaining([
      "holder: update case_id, which lookups read: held",
      "holder: update case_id past what may be inserted: held",
      "boss: update giver_id past what may be inserted: held",
      "holder: select secret: held",
      "boss: select secret: held",
    ]),
  );
});

it("shows a column that is read after all", async () => {
  const definition = definitionOf({ case: true, mark: true });
  const database = await createTestDatabase({
    setup: async (db, client) => {
      await apply(client, planInstall(definition));
      await db.execute(sql`grant select (secret) on "we""ird Schema".cases to prove_columns_boss`);
    },
  });
  try {
    const proof = await proveIsolation(database.client, definition, { mutate: false });
    expect(
      proof.cells.flatMap(({ persona, command, status }) =>
        status === "broken" ? [`${persona}: ${command}`] : [],
      ),
    ).toEqual(["boss: select secret"]);
  } finally {
    await database.close();
  }
});

it.each([
  {
    made: progressCard,
    held: "hpc_evaluations",
    column: "student_id past what may be inserted",
    by: "teacher",
  },
  {
    made: testCycles,
    held: "requests_for_information",
    column: "phase_id, which lookups read",
    by: "data_provider",
  },
])("shows what $by could do without the trigger of $held", async ({ made, held, column, by }) => {
  const [{ schema } = { schema: "" }] = made.access;
  const database = await createTestDatabase({
    setup: async (_, client) => {
      await apply(client, planInstall(made));
      await client.exec(`drop trigger keep_identity on ${ident(schema)}.${held}`);
    },
  });
  try {
    const { cells } = await proveIsolation(database.client, made, {
      generate: made === progressCard ? progressCardRows : {},
      mutate: false,
    });
    const broken = cells.filter(({ status }) => status === "broken");
    expect(broken.map(({ persona, command }) => `${persona}: ${command}`)).toContain(
      `${by}: update ${column}`,
    );
    expect(new Set(broken.map(({ object }) => object))).toEqual(
      new Set([`table "${schema}"."${held}"`]),
    );
  } finally {
    await database.close();
  }
});
