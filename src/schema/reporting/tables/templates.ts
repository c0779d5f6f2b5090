import { sql } from "drizzle-orm";
import {
  boolean,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  primaryKey,
  text,
  unique,
  uuid,
  varchar,
} from "drizzle-orm/pg-core";
import { own, tenant } from "../../../rls/row-class.ts";
import type { Place } from "../access.ts";
import { isObject, isOneOf, ofOrganization, rowId, writtenAt } from "../columns.ts";
import { FIELD_TYPES, TEMPLATE_TYPES } from "../words.ts";
import type { Organizations } from "./organizations.ts";
import type { Users } from "./users.ts";

/** What reports are made from. A version is a row, and points to the one that it came from. */
export function templatesTable(
  { space, access }: Place,
  { organizations, users }: { organizations: Organizations; users: Users },
) {
  return space
    .table(
      "templates",
      {
        organizationId: ofOrganization(),
        id: rowId(),
        name: varchar("name", { length: 255 }).notNull(),
        description: text("description"),
        createdBy: uuid("created_by").notNull(),
        templateType: varchar("template_type", { length: 50, enum: TEMPLATE_TYPES }).notNull(),
        structure: jsonb("structure").$type<Record<string, unknown>>().notNull().default({}),
        parameters: jsonb("parameters").$type<Record<string, unknown>>().notNull().default({}),
        configuration: jsonb("configuration")
          .$type<Record<string, unknown>>()
          .notNull()
          .default({}),
        version: integer("version").notNull().default(1),
        parentTemplateId: uuid("parent_template_id"),
        isActive: boolean("is_active").notNull().default(true),
        isPublic: boolean("is_public").notNull().default(false),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "templates_pkey", columns: [t.organizationId, t.id] }),
        unique("unique_template_name_version").on(t.organizationId, t.name, t.version),
        foreignKey({
          name: "templates_organization_fk",
          columns: [t.organizationId],
          foreignColumns: [organizations.id],
        }).onDelete("cascade"),
        foreignKey({
          name: "templates_created_by_fk",
          columns: [t.organizationId, t.createdBy],
          foreignColumns: [users.organizationId, users.id],
        }),
        foreignKey({
          name: "templates_parent_fk",
          columns: [t.organizationId, t.parentTemplateId],
          foreignColumns: [t.organizationId, t.id],
        }),
        index("templates_active_idx")
          .on(t.organizationId, t.name)
          .where(sql`is_active`),
        index("templates_created_by_idx").on(t.organizationId, t.createdBy),
        index("templates_parent_idx").on(t.organizationId, t.parentTemplateId),
        index("templates_created_at_idx").on(
          t.organizationId,
          t.createdAt.desc().nullsFirst(),
          t.id.desc().nullsFirst(),
        ),
        check("valid_template_type", isOneOf("template_type", TEMPLATE_TYPES)),
        check("valid_version", sql`version > 0`),
        check("valid_parent", sql`parent_template_id <> id`),
        check("valid_structure", isObject("structure")),
        check("valid_parameters", isObject("parameters")),
        check("valid_configuration", isObject("configuration")),
        ...access.rules(t, {
          select: {
            org_admin: tenant,
            report_manager: tenant,
            report_viewer: tenant,
            user: tenant,
          },
          insert: { org_admin: own("createdBy"), report_manager: own("createdBy") },
          update: { org_admin: tenant, report_manager: tenant },
          delete: { org_admin: tenant },
        }),
      ],
    )
    .enableRLS();
}

/** The table of {@link templatesTable}. */
export type Templates = ReturnType<typeof templatesTable>;

/** What a template asks for. */
export function templateFieldsTable(
  { space, access }: Place,
  { templates }: { templates: Templates },
) {
  return space
    .table(
      "template_fields",
      {
        organizationId: ofOrganization(),
        id: rowId(),
        templateId: uuid("template_id").notNull(),
        name: varchar("name", { length: 100 }).notNull(),
        label: varchar("label", { length: 255 }).notNull(),
        fieldType: varchar("field_type", { length: 50, enum: FIELD_TYPES }).notNull(),
        position: integer("position").notNull().default(0),
        isRequired: boolean("is_required").notNull().default(false),
        defaultValue: jsonb("default_value"),
        options: jsonb("options").$type<readonly string[]>(),
        validationRules: jsonb("validation_rules")
          .$type<Record<string, unknown>>()
          .notNull()
          .default({}),
        ...writtenAt(),
      },
      (t) => [
        primaryKey({ name: "template_fields_pkey", columns: [t.organizationId, t.id] }),
        // Not on the position too: fields change places one row at a time.
        unique("template_fields_name_key").on(t.organizationId, t.templateId, t.name),
        foreignKey({
          name: "template_fields_template_fk",
          columns: [t.organizationId, t.templateId],
          foreignColumns: [templates.organizationId, templates.id],
        }).onDelete("cascade"),
        check("valid_field_type", isOneOf("field_type", FIELD_TYPES)),
        check("valid_name", sql`name ~ '^[a-z][a-z0-9_]*$'`),
        check("valid_position", sql`position >= 0`),
        check("valid_options", sql`jsonb_typeof(options) = 'array'`),
        check(
          "select_has_options",
          sql`field_type NOT IN ('select', 'multi_select') OR options IS NOT NULL`,
        ),
        check("valid_validation_rules", isObject("validation_rules")),
        ...access.rules(t, {
          select: {
            org_admin: tenant,
            report_manager: tenant,
            report_viewer: tenant,
            user: tenant,
          },
          insert: { org_admin: tenant, report_manager: tenant },
          update: { org_admin: tenant, report_manager: tenant },
          delete: { org_admin: tenant, report_manager: tenant },
        }),
      ],
    )
    .enableRLS();
}

/** The table of {@link templateFieldsTable}. */
export type TemplateFields = ReturnType<typeof templateFieldsTable>;
