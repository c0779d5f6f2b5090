import { pgSchema, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { defineDatabase } from "underpin";
import { defineAccess, own, tenant } from "underpin/rls";

const schema = "notebook";
export const access = defineAccess({
  schema,
  tenantColumn: "teamId",
  personas: ["member", "lead"],
});
export const notebook = pgSchema(schema);
export const notes = notebook
  .table(
    "notes",
    {
      teamId: uuid("team_id").notNull(),
      id: uuid("id").notNull().defaultRandom(),
      authorId: uuid("author_id").notNull(),
      body: text("body").notNull(),
    },
    (t) => [
      primaryKey({ name: "notes_pk", columns: [t.teamId, t.id] }),
      access.rules(t, {
        select: { member: tenant, lead: tenant },
        insert: { member: own("authorId") },
        update: { member: own("authorId") },
        delete: { member: own("authorId"), lead: tenant },
      }),
    ],
  )
  .enableRLS();
export const definition = defineDatabase({ name: "notebook", tables: { notebook, notes }, access });
