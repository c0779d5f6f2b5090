import { sql } from "drizzle-orm";
import { integer, pgTable } from "drizzle-orm/pg-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { combine } from "../../src/definition/combine.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { verify } from "../../src/install/verify.ts";
import { withTenant } from "../../src/rls/with-tenant.ts";
import { apply } from "../../src/run/apply.ts";
import { authUsersStandIn } from "../../src/schema/auth-stand-in.ts";
import { progressCard } from "../../src/schema/progress-card/index.ts";
import { createTestDatabase, type TestDatabase } from "../../src/testing/index.ts";
import { fillInstitution, idOf, PEOPLE, refusal } from "./progress-card-world.ts";

const auth = authUsersStandIn();
const card = progressCard({
  accounts: auth.users.id,
  target: "supabase",
  privateBuckets: ["evidence-of-work"],
});
const definition = combine(auth.definition, card.definition);

describe("progress cards bound to the accounts of Supabase", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase({
      setup: async (db, client) => {
        const report = await apply(client, planInstall(definition));
        if (report.outcome !== "applied") throw new Error(JSON.stringify(report.failure));
        await db.transaction(async (tx) => {
          for (const letter of ["a", "b"] as const) {
            for (const kind of PEOPLE)
              await tx.insert(auth.users).values({ id: idOf(letter, kind) });
            await fillInstitution(tx, card, letter);
          }
        });
        await client.exec("REFRESH MATERIALIZED VIEW progress_card.mv_hpc_student_summary");
      },
    });
  });
  afterAll(() => database.close());

  const contextOf = (persona: "student" | "teacher" | "parent" | "admin") => ({
    access: card.access,
    persona,
    tenant: idOf("a", "institution"),
    user: idOf("a", persona),
  });

  it("are verified without a finding", async () => {
    expect(await verify(database.client, definition)).toEqual([]);
  });

  it("show each persona of the one role its rows, and its part of the summary", async () => {
    const seen = [];
    for (const persona of ["student", "teacher", "parent", "admin"] as const)
      seen.push(
        await withTenant(database.db, contextOf(persona), async (db) => [
          await db.$count(card.hpcEvaluations),
          await db.$count(card.hpcStudentSummary),
        ]),
      );
    expect(seen).toEqual([
      [3, 1],
      [3, 2],
      [3, 1],
      [4, 3],
    ]);
  });

  it("log the user of the token", async () => {
    await withTenant(database.db, contextOf("student"), (db) =>
      db.insert(card.hpcReflections).values({
        institutionId: idOf("a", "institution"),
        cycleId: idOf("a", "cycle"),
        studentId: idOf("a", "student"),
        reflection: "I know who I am.",
      }),
    );
    const [entry] = await database.db
      .select()
      .from(card.auditLogs)
      .where(sql`actor_id is not null`);
    expect(entry).toMatchObject({
      actorId: idOf("a", "student"),
      tableName: "hpc_reflections",
      hpcContext: { role: "authenticated" },
    });
  });

  it("let the migrator write without a token", async () => {
    const answer = await database.rolledBack(async (db) => {
      await db.execute(sql`set local role underpin_migrator`);
      return refusal(db, (tx) => tx.update(card.hpcReflections).set({ goals: "none" }));
    });
    expect(answer).toBeNull();
  });

  it("have no profile without an account", async () => {
    const answer = await database.rolledBack((db) =>
      refusal(db, (tx) =>
        tx.insert(card.userProfiles).values({
          institutionId: idOf("a", "institution"),
          fullName: "nobody",
          role: "teacher",
        }),
      ),
    );
    expect(answer).toBe("23503 user_profiles_account_fk");
  });

  it("take evidence into the buckets that the host names", async () => {
    const [row] = await database.db.select().from(card.hpcEvidenceFiles);
    expect(row?.bucket).toBe("evidence-of-work");
  });
});

describe("a host's accounts of another type", () => {
  it("are a compile error", () => {
    const people = pgTable("people", { id: integer("id").primaryKey() });
    // @ts-expect-error an integer is no uuid
    const bound = progressCard({ accounts: people.id });
    expect(() => planInstall(bound.definition)).toThrow(/points to public\.people\.id/);
  });
});
