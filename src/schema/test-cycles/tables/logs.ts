import { sql } from "drizzle-orm";
import {
  check,
  index,
  integer,
  jsonb,
  numeric,
  primaryKey,
  text,
  timestamp,
  varchar,
} from "drizzle-orm/pg-core";
import { own, tenant } from "../../../rls/row-class.ts";
import { literal } from "../../../sql/quote.ts";
import type { Basis } from "../basis.ts";
import { ENTITY_TYPES, type EntityType } from "../entity-types.ts";
import { GIVEN_OUT, type KeyKind } from "../keys.ts";

type Json = Readonly<Record<string, unknown>>;

const mine = own("userId");

/** Who changed what, and what was asked of language models. Rows are only ever added. */
export function logTables<K extends KeyKind, S extends string>({
  keys,
  space,
  enums,
  access,
  points,
}: Basis<K, S>) {
  const auditLogs = space
    .table(
      "audit_logs",
      {
        auditId: keys.generated("audit_id"),
        lobId: keys.required("lob_id"),
        userId: keys.optional("user_id"),
        action: enums.auditAction("action").notNull(),
        entityType: varchar("entity_type", { length: 40 }).$type<EntityType>().notNull(),
        entityId: keys.required("entity_id"),
        oldValues: jsonb("old_values").$type<Json>(),
        newValues: jsonb("new_values").$type<Json>(),
        createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
      },
      (t) => [
        primaryKey({ name: "audit_logs_pkey", columns: [t.auditId] }),
        points("audit_logs_lob_id_fkey", [t.lobId], "lobs", ["lob_id"]),
        points("audit_logs_user_id_fkey", [t.lobId, t.userId], "users", ["lob_id", "user_id"]),
        check(
          "audit_logs_entity_type_known",
          sql.raw(`entity_type in (${ENTITY_TYPES.map(literal).join(", ")})`),
        ),
        check(
          "audit_logs_values_of_action",
          sql`(action <> 'insert') = (old_values is not null) and (action <> 'delete') = (new_values is not null)`,
        ),
        index("idx_audit_logs_entity").on(t.lobId, t.entityType, t.entityId, t.createdAt),
        index("idx_audit_logs_user_id").on(t.lobId, t.userId, t.createdAt),
        ...access.rules(t, {
          globalKeys: { audit_logs_pkey: GIVEN_OUT },
          appendOnly: true,
          select: {
            tester: mine,
            test_manager: tenant,
            report_owner: mine,
            data_provider: mine,
            admin: tenant,
          },
          // The trigger writes, as the reader: an entry that a persona could add would be no proof of anything.
        }),
      ],
    )
    .enableRLS();

  const llmAuditLogs = space
    .table(
      "llm_audit_logs",
      {
        llmAuditId: keys.generated("llm_audit_id"),
        lobId: keys.required("lob_id"),
        userId: keys.optional("user_id"),
        provider: varchar("provider", { length: 60 }).notNull(),
        model: varchar("model", { length: 120 }).notNull(),
        purpose: varchar("purpose", { length: 120 }).notNull(),
        // Holds keys of other tables as values: {"cycle_id": …, "report_id": …, "phase_id": …}.
        context: jsonb("context")
          .$type<Json>()
          .notNull()
          .default(sql`'{}'::jsonb`),
        prompt: text("prompt").notNull(),
        response: text("response"),
        inputTokens: integer("input_tokens"),
        outputTokens: integer("output_tokens"),
        cost: numeric("cost", { precision: 12, scale: 6, mode: "number" }),
        durationMs: integer("duration_ms"),
        error: text("error"),
        createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
      },
      (t) => [
        primaryKey({ name: "llm_audit_logs_pkey", columns: [t.llmAuditId] }),
        points("llm_audit_logs_lob_id_fkey", [t.lobId], "lobs", ["lob_id"]),
        points("llm_audit_logs_user_id_fkey", [t.lobId, t.userId], "users", ["lob_id", "user_id"]),
        check("llm_audit_logs_context_is_object", sql`jsonb_typeof(context) = 'object'`),
        check(
          "llm_audit_logs_counts_positive",
          sql`input_tokens >= 0 and output_tokens >= 0 and cost >= 0 and cost <> 'NaN' and duration_ms >= 0`,
        ),
        check("llm_audit_logs_answered_or_failed", sql`response is not null or error is not null`),
        index("idx_llm_audit_logs_user_id").on(t.lobId, t.userId, t.createdAt),
        ...access.rules(t, {
          globalKeys: { llm_audit_logs_pkey: GIVEN_OUT },
          appendOnly: true,
          select: { tester: mine, test_manager: tenant, admin: tenant },
          insert: { tester: mine, test_manager: mine, admin: mine },
        }),
      ],
    )
    .enableRLS();

  return { auditLogs, llmAuditLogs };
}
