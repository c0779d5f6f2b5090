import {
  getTableConfig,
  integer,
  PgDialect,
  pgTable,
  primaryKey,
  serial,
  text,
  unique,
  uuid,
} from "drizzle-orm/pg-core";
import type { PgTable } from "drizzle-orm/pg-core";
import { describe, expect, it } from "vitest";
import { accessFaults } from "../../src/definition/access-faults.ts";
import type { Definition } from "../../src/definition/definition.ts";
import {
  accessMatrix,
  assigned,
  anyOf,
  custom,
  defineAccess,
  everyone,
  ids,
  own,
  renderMatrix,
  tenant,
} from "../../src/rls/index.ts";
import { objectsFor } from "../../src/rls/objects-for.ts";
import { school } from "./school.ts";

const base = {
  schema: "s",
  tenantColumn: "tenantId",
  personas: ["student", "admin"],
  lookups: { assigned: ids("uuid") },
} as const;

/** The policies of a table as text. */
function policiesOf(table: PgTable): readonly string[] {
  const dialect = new PgDialect();
  return getTableConfig(table).policies.map((policy) => {
    const text = (sql: typeof policy.using) => {
      if (sql === undefined) return "-";
      const query = dialect.sqlToQuery(sql);
      expect(query.params, "DDL takes no parameters").toEqual([]);
      return query.sql;
    };
    return `${policy.name} ${policy.as} ${policy.for} to ${(policy.to as string[]).join()}: ${text(policy.using)} / ${text(policy.withCheck)}`;
  });
}

function definitionOf(access: Definition["access"][number], ...tables: PgTable[]): Definition {
  return {
    name: "test",
    tables: Object.fromEntries(tables.map((table, at) => [`t${at}`, table])),
    objects: [],
    partitions: [],
    access: [access],
    seeds: [],
    requires: {},
  };
}

describe("the policies of a table", () => {
  const notes = (target: "postgres" | "citus" | "supabase") => {
    const access = defineAccess({ ...base, target });
    return pgTable(
      "notes",
      { tenantId: uuid("tenant_id").notNull(), writerId: uuid("writer_id").notNull() },
      (t) =>
        access.rules(t, {
          select: { student: anyOf(own("writerId"), assigned("writerId")), admin: tenant },
          insert: { student: own("writerId") },
        }),
    );
  };

  it("are a floor and one permissive policy for each role and command, in sub-selects", () => {
    expect(policiesOf(notes("postgres"))).toEqual([
      `tenant_floor restrictive all to s_student,s_admin: "tenant_id" = (select "s"."current_tenant_id"()) / "tenant_id" = (select "s"."current_tenant_id"())`,
      `student_select permissive select to s_student: ("writer_id" = (select "s"."current_user_id"()) or "writer_id" = any((select "s"."assigned_ids"())::uuid[])) / -`,
      `admin_select permissive select to s_admin: true / -`,
      `student_insert permissive insert to s_student: - / "writer_id" = (select "s"."current_user_id"())`,
    ]);
  });

  it("hold no sub-select for Citus, which refuses one on a distributed table", () => {
    const policies = policiesOf(notes("citus"));
    expect(policies.join()).not.toContain("(select");
    const [floor, student, admin, insert] = policies;
    expect(student).toContain(
      `"writer_id" = any(nullif(current_setting('app.assigned_ids', true), '')::uuid[])`,
    );
    const bare = `"tenant_id" = nullif(current_setting('app.tenant_id', true), '')::uuid`;
    expect(floor).toBe(`tenant_floor restrictive all to s_student,s_admin: ${bare} / ${bare}`);
    expect(admin).toBe("admin_select permissive select to s_admin: true / -");
    expect(insert).toContain(
      `"writer_id" = nullif(current_setting('app.user_id', true), '')::uuid`,
    );
  });

  it("are one for each command on Supabase, with the persona in it", () => {
    expect(policiesOf(notes("supabase"))[2]).toBe(
      `authenticated_insert permissive insert to authenticated: - / ((select "s"."current_persona"()) = 'student' and "writer_id" = (select "s"."current_user_id"()))`,
    );
  });

  it("close a table that is open to nobody and has no tenant, which still carries its rules", () => {
    const access = defineAccess(base);
    const closed = pgTable("closed", { id: text("id") }, (t) =>
      access.rules(t, { tenantColumn: null }),
    );
    expect(policiesOf(closed)).toEqual([
      "closed restrictive all to s_student,s_admin: false / false",
    ]);
    expect(accessMatrix(definitionOf(access, closed))[0]?.cells).toHaveLength(8);
  });

  it("are new objects each time that Drizzle asks, and the same policies", () => {
    const table = notes("postgres");
    expect(policiesOf(table)).toEqual(policiesOf(table));
    expect(getTableConfig(table).policies[0]).not.toBe(getTableConfig(table).policies[0]);
  });
});

describe("the faults of an access", () => {
  const access = defineAccess(base);
  const words = (definition: Definition) =>
    accessFaults(definition).map(
      ({ table, column, what }) => `${table}${column === undefined ? "" : `.${column}`} ${what}`,
    );

  it("name a table left out, a tenant that may be NULL, and keys without the tenant", () => {
    const users = pgTable(
      "users",
      { tenantId: uuid("tenant_id"), id: uuid("id").primaryKey(), email: text("email") },
      (t) => [unique("users_email").on(t.email), access.rules(t, { select: { admin: tenant } })],
    );
    const posts = pgTable(
      "posts",
      {
        tenantId: uuid("tenant_id").notNull(),
        id: integer("id").notNull(),
        userId: uuid("user_id").references(() => users.id),
      },
      (t) => [
        primaryKey({ name: "posts_pk", columns: [t.tenantId, t.id] }),
        access.rules(t, { select: { admin: everyone, student: custom("true", " ") } }),
      ],
    );
    const left = pgTable("left_out", { id: text("id") });
    expect(words(definitionOf(access, users, posts, left))).toEqual([
      "public.users.tenant_id is the tenant and may be NULL",
      "public.users has the key users_pkey (id) without its tenant: one tenant learns from it what another has",
      "public.users has the key users_email (email) without its tenant: one tenant learns from it what another has",
      "public.posts lets student select rows by a predicate without a reason",
      "public.posts lets admin select everyone's rows, and its rows have a tenant",
      "public.posts points with posts_user_id_users_id_fk to public.users without the tenant: into another tenant too",
      "public.left_out is left out of the access: nobody said who may do what to its rows",
    ]);
  });

  it("accept a key that is given a reason", () => {
    const users = pgTable(
      "users",
      { tenantId: uuid("tenant_id").notNull(), id: uuid("id").primaryKey() },
      (t) =>
        access.rules(t, {
          select: { admin: tenant },
          globalKeys: { users_pkey: "ids are random: to ask for one is to know it" },
        }),
    );
    expect(words(definitionOf(access, users))).toEqual([]);
  });

  it("name a lookup that is asked and has no body, and rules of an access that is not there", () => {
    const asks = pgTable("asks", { tenantId: uuid("tenant_id").notNull() }, (t) =>
      access.rules(t, { select: { student: assigned("tenantId") } }),
    );
    expect(words(definitionOf(access, asks))).toEqual([
      'public.asks asks the lookup "assigned", which has no body',
    ]);
    expect(words(definitionOf(defineAccess({ ...base, schema: "other" }), asks))).toEqual([
      'public.asks has rules of the access "s", which the definition does not have',
    ]);
    expect(() => objectsFor(access, [asks])).toThrow(/has no body/);
  });
});

describe("the matrix of a definition", () => {
  it("is read from the tables, and printed", () => {
    const { definition } = school("school", "app");
    const [matrix] = accessMatrix(definition);
    expect(matrix?.cells).toHaveLength(5 * 4 * 4);
    expect(matrix === undefined ? "" : renderMatrix(matrix)).toMatchInlineSnapshot(`
      "| table | student | teacher | parent | admin |
      | --- | --- | --- | --- | --- |
      | \`subjects\`, no tenant | select: all | select: all | select: all | select: all |
      | \`users\` | select: own (id) | select: own (id) or assigned (id) | select: own (id) or children (id) | select, insert, update, delete: the tenant's |
      | \`teaching\` |  | select: own (teacher_id) |  | select, insert, delete: the tenant's |
      | \`grades\` | select: own (student_id) | select, insert, update: assigned (student_id) | select: children (student_id) | select, delete: the tenant's<br>insert: by hand: an admin may not take points away |
      | \`audit_log\`, append-only |  | insert: own (actor_id) |  | select: the tenant's<br>insert: own (actor_id) |"
    `);
  });

  it("makes a grant on the sequence of a serial column, for who inserts", () => {
    const access = defineAccess(base);
    const counted = pgTable(
      "counted",
      { tenantId: uuid("tenant_id").notNull(), id: serial("id").notNull() },
      (t) => access.rules(t, { insert: { admin: tenant } }),
    );
    expect(
      objectsFor({ ...access, lookups: [] }, [counted])
        .filter(({ id }) => id.includes("sequence"))
        .map(({ create }) => create),
    ).toEqual([
      `GRANT USAGE ON SEQUENCE "public"."counted_id_seq" TO "s_admin"`,
      `GRANT USAGE ON SEQUENCE "public"."counted_id_seq" TO "underpin_migrator"`,
    ]);
  });
});
