import { eq, sql } from "drizzle-orm";
import { pgSchema, primaryKey, text, unique, uuid } from "drizzle-orm/pg-core";
import { expect, it } from "vitest";
import { defineDatabase } from "../../src/definition/define-database.ts";
import { defineAccess, ids } from "../../src/rls/define-access.ts";
import { among, anyOf, own, tenant } from "../../src/rls/row-class.ts";

const space = pgSchema('we"ird Schema');

type Held = { readonly [column in "caseId" | "holderId" | "note"]?: string };

/** Cases, and who is asked about them: `asked` yields the cases that one is asked about. */
function defined(write: {
  readonly update?: "own" | "case" | "either" | "tenant";
  readonly insert?: "own" | "tenant";
  readonly lookupColumns?: Held;
  readonly star?: boolean;
}) {
  const access = defineAccess({
    schema: 'we"ird Schema',
    tenantColumn: "lobId",
    personas: ["holder", "boss"],
    lookups: { asked: ids("uuid"), seldom: ids("uuid") },
  });
  const cases = space
    .table("cases", { lobId: uuid("lob_id").notNull(), id: uuid("id").notNull() }, (t) => [
      primaryKey({ name: "cases_pkey", columns: [t.lobId, t.id] }),
      ...access.rules(t, { select: { holder: among("asked", "id"), boss: tenant } }),
    ])
    .enableRLS();
  const classes = {
    own: own("holderId"),
    case: among("asked", "caseId"),
    either: anyOf(own("holderId"), among("asked", "caseId")),
    tenant,
  } as const;
  const requests = space
    .table(
      "requests",
      {
        lobId: uuid("lob_id").notNull(),
        id: uuid("id").notNull(),
        caseId: uuid('case "id"').notNull(),
        holderId: uuid("holder_id").notNull(),
        note: text("note"),
      },
      (t) => [
        primaryKey({ name: "requests_pkey", columns: [t.lobId, t.id] }),
        unique("requests_note_key").on(t.lobId, t.note),
        ...access.rules(t, {
          select: { holder: own("holderId"), boss: tenant },
          // The boss may write everything, and asks no lookup.
          insert: {
            boss: tenant,
            ...(write.insert === undefined ? {} : { holder: classes[write.insert] }),
          },
          update: {
            boss: tenant,
            ...(write.update === undefined ? {} : { holder: classes[write.update] }),
          },
          ...(write.lookupColumns === undefined ? {} : { lookupColumns: write.lookupColumns }),
        }),
      ],
    )
    .enableRLS();
  const whole = access.with({
    asked: (db, me) =>
      write.star === true
        ? sql`select q.* from (select * from ${requests}) q`
        : db.select({ id: requests.caseId }).from(requests).where(eq(requests.holderId, me.userId)),
    seldom: (_, me) => sql`select ${me.userId}`,
  });
  return () => defineDatabase({ name: "cases", tables: { cases, requests }, access: whole });
}

/** The columns that are found fault with. */
function faulty(write: Parameters<typeof defined>[0]): readonly string[] {
  try {
    defined(write)();
    return [];
  } catch (error) {
    const lines = (error as Error).message.split("\n").slice(1);
    return lines.map((line) => /requests\.(.*?) is /.exec(line)?.[1] ?? line);
  }
}

it("refuses a rule by which a persona could choose what a lookup shows it", () => {
  expect(defined({ update: "own" })).toThrow(
    'requests.case "id" is read by the lookup "asked", which holder asks, and holder may update it: so it chooses what it may see. Keep it by a trigger, and say so with its reason: lookupColumns',
  );
  expect(faulty({ update: "tenant" })).toEqual(['case "id"', "holder_id"]);
  expect(faulty({ insert: "own" })).toEqual(['case "id"']);
  expect(faulty({ insert: "tenant", update: "own" })).toEqual(['case "id"', "holder_id"]);
});

it("takes what the rule itself holds: the tenant, oneself, the lookup that reads it, a key", () => {
  expect(faulty({})).toEqual([]);
  // Who holds it may change, since the case stays among those that one is asked about: but one could be another, so it is said.
  expect(faulty({ update: "case" })).toEqual(["holder_id"]);
  // Seen by one class and written by the other.
  expect(faulty({ update: "either" })).toEqual(['case "id"', "holder_id"]);
});

it("takes what is said to hold it, with a reason, and nothing without one", () => {
  const caseId = "the trigger keep_case refuses another";
  expect(faulty({ update: "own", lookupColumns: { caseId } })).toEqual([]);
  expect(faulty({ update: "own", lookupColumns: { holderId: caseId } })).toEqual(['case "id"']);
  expect(defined({ update: "own", lookupColumns: { caseId: " " } })).toThrow(
    "is in lookupColumns without a reason",
  );
});

it("takes every column to be read where a query names none", () => {
  // The note is a key by itself.
  expect(faulty({ update: "own", star: true })).toEqual(['case "id"']);
  expect(faulty({ update: "tenant", star: true })).toEqual(['case "id"', "holder_id"]);
});
