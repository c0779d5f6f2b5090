import { pgSchema, integer, text } from "drizzle-orm/pg-core";
import { describe, expect, it } from "vitest";
import type { Plan } from "../../src/plan/step.ts";
import { createIndex } from "../../src/recipes/create-index.ts";
import { setNotNull } from "../../src/recipes/set-not-null.ts";

const statements = ({ steps }: Plan) => steps.map((step) => ("sql" in step ? step.sql : step.kind));

const users = pgSchema("app").table("users", {
  id: integer("id").primaryKey(),
  email: text("e_mail"),
});

describe("setNotNull", () => {
  it("moves the scan to a statement that reads and writes pass through", () => {
    expect(
      statements(setNotNull({ schema: "app", table: "users", column: "email" })).slice(1),
    ).toEqual([
      `ALTER TABLE "app"."users" ADD CONSTRAINT "users_email_filled" CHECK ("email" IS NOT NULL) NOT VALID`,
      `ALTER TABLE "app"."users" VALIDATE CONSTRAINT "users_email_filled"`,
      `ALTER TABLE "app"."users" ALTER COLUMN "email" SET NOT NULL`,
      `ALTER TABLE "app"."users" DROP CONSTRAINT "users_email_filled"`,
      `ALTER TABLE "app"."users" ADD CONSTRAINT "users_email_not_null" NOT NULL "email" NOT VALID`,
      `ALTER TABLE "app"."users" VALIDATE CONSTRAINT "users_email_not_null"`,
    ]);
  });

  it("takes a Drizzle table and column, with the names that the database has", () => {
    const { name, steps } = setNotNull({ table: users, column: users.email });
    expect(name).toBe("set-not-null-app-users-e_mail");
    expect(steps[1]).toMatchObject({ locks: [{ schema: "app", name: "users" }] });
  });

  it("refuses what is no table", () => {
    expect(() => setNotNull({ table: {} as never, column: "a" })).toThrow(/neither a name nor/);
  });
});

describe("createIndex", () => {
  const index = (options: Omit<Parameters<typeof createIndex>[0], "table" | "schema">) =>
    statements(createIndex({ schema: "app", table: "users", ...options }))[1];

  it("builds concurrently under the name that Drizzle and PostgreSQL would give", () => {
    expect(index({ parts: ["email"] })).toBe(
      `CREATE INDEX CONCURRENTLY "users_email_idx" ON "app"."users" USING "btree" ("email")`,
    );
  });

  it("says all that an index can be", () => {
    expect(
      index({
        name: "by mail",
        unique: true,
        method: "gist",
        parts: [
          { on: { expression: "lower(email)" }, operatorClass: "text_pattern_ops" },
          { on: "id", collation: '"C"', order: "desc", nulls: "last" },
        ],
        include: ["name"],
        where: "deleted_at IS NULL",
      }),
    ).toBe(
      `CREATE UNIQUE INDEX CONCURRENTLY "by mail" ON "app"."users" USING "gist" ` +
        `((lower(email)) text_pattern_ops, "id" COLLATE "C" DESC NULLS LAST) INCLUDE ("name") WHERE deleted_at IS NULL`,
    );
  });

  it("asks for a name where a part is an expression", () => {
    expect(() =>
      createIndex({ table: "users", parts: [{ on: { expression: "lower(email)" } }] }),
    ).toThrow(/needs a name/);
  });

  it("takes a Drizzle table and columns", () => {
    expect(createIndex({ table: users, parts: [users.email] }).name).toBe(
      "create-index-app-users_e_mail_idx",
    );
  });
});
