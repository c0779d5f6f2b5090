import { sql } from "drizzle-orm";
import {
  boolean,
  check,
  index,
  integer,
  jsonb,
  numeric,
  primaryKey,
  text,
  unique,
  uuid,
} from "drizzle-orm/pg-core";
import { everyone, own } from "../../../rls/row-class.ts";
import { ident } from "../../../sql/quote.ts";
import { refersToUser, writtenAt, type Basis } from "../basis.ts";
import type { JsonObject, Section } from "../shapes.ts";

/**
 * Templates belong to no project: the default ones are there before any project is, and a project chooses among all. Everybody reads
 * them, and only who made one changes it: not the service either, or what an AI learned in one project would be told to all.
 *
 * That all rows may be read is also what keeps the trigram index in use: a predicate of a policy runs before every operator that is not
 * leakproof, and LIKE is not.
 */
export function templatesTable<S extends string>(basis: Basis<S>) {
  const { space, enums, access, host, extensionSchema } = basis;
  return space
    .table(
      "pmr_templates",
      {
        id: uuid("id")
          .notNull()
          .default(sql`gen_random_uuid()`),
        name: text("name").notNull(),
        description: text("description"),
        templateType: enums.pmrTemplateType("template_type").notNull().default("custom"),
        industryFocus: text("industry_focus"),
        sections: jsonb("sections")
          .$type<readonly Section[]>()
          .notNull()
          .default(sql`'[]'::jsonb`),
        defaultMetrics: jsonb("default_metrics")
          .$type<readonly string[]>()
          .notNull()
          .default(sql`'[]'::jsonb`),
        aiSuggestions: jsonb("ai_suggestions")
          .$type<JsonObject>()
          .notNull()
          .default(sql`'{}'::jsonb`),
        brandingConfig: jsonb("branding_config")
          .$type<JsonObject>()
          .notNull()
          .default(sql`'{}'::jsonb`),
        defaultExportFormat: enums.exportFormat("default_export_format").notNull().default("pdf"),
        version: integer("version").notNull().default(1),
        isActive: boolean("is_active").notNull().default(true),
        rating: numeric("rating", { precision: 3, scale: 2, mode: "number" }),
        createdBy: uuid("created_by"),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "pmr_templates_pkey", columns: [t.id] }),
        // With the creator first: whether a name is taken tells nobody about the templates of others.
        unique("pmr_templates_creator_name_key").on(t.createdBy, t.name),
        refersToUser("pmr_templates_created_by_fkey", t.createdBy, host),
        check("pmr_templates_name_length", sql`char_length(btrim(name)) between 1 and 200`),
        check(
          "pmr_templates_sections_form",
          sql`jsonb_typeof(sections) = 'array' and not jsonb_path_exists(sections, 'strict $[*] ? (@.type() != "object" || (@.id.type() == "string") is unknown || @.id.type() != "string")', '{}', true)`,
        ),
        check("pmr_templates_default_metrics_form", sql`jsonb_typeof(default_metrics) = 'array'`),
        check("pmr_templates_ai_suggestions_form", sql`jsonb_typeof(ai_suggestions) = 'object'`),
        check("pmr_templates_branding_config_form", sql`jsonb_typeof(branding_config) = 'object'`),
        check("pmr_templates_version_positive", sql`version > 0`),
        check("pmr_templates_rating_range", sql`rating between 0 and 5`),
        index("pmr_templates_name_trigram").using(
          "gin",
          t.name.op(`${ident(extensionSchema)}.gin_trgm_ops`),
        ),
        index("pmr_templates_type_idx")
          .on(t.templateType, t.name)
          .where(sql`is_active`),
        ...access.rules(t, {
          tenantColumn: null,
          select: { manager: everyone, member: everyone, viewer: everyone, system: everyone },
          insert: { manager: own("createdBy") },
          update: { manager: own("createdBy") },
          delete: { manager: own("createdBy") },
        }),
      ],
    )
    .enableRLS();
}
