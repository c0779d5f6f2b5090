import { foreignKey, index, primaryKey, timestamp, uuid } from "drizzle-orm/pg-core";
import type { AnyPgColumn, ExtraConfigColumn, PgTableExtraConfigValue } from "drizzle-orm/pg-core";

/** The columns by which a row belongs to an institution. */
export const ownRow = () => ({
  institutionId: uuid("institution_id").notNull(),
  id: uuid("id").notNull().defaultRandom(),
});

/** When a row was written; `updated_at` is kept by a trigger. */
export const times = () => ({
  createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
  updatedAt: timestamp("updated_at", { withTimezone: true }).notNull().defaultNow(),
});

/** Who wrote a row and when. A trigger fills it from the context; what no person wrote has nobody. */
export const authorship = () => ({
  createdBy: uuid("created_by"),
  updatedBy: uuid("updated_by"),
  ...times(),
});

/** The two columns to which every reference within an institution points. */
export interface Referenced {
  readonly institutionId: AnyPgColumn;
  readonly id: AnyPgColumn;
}

/** The columns of a table's third argument that a key within an institution needs. */
export interface OwnRow {
  readonly institutionId: ExtraConfigColumn;
  readonly id: ExtraConfigColumn;
}

/**
 * The primary key, led by the institution: it is the index of every policy, the target of every composite foreign key, and says the same of an id
 * that another institution has as of one that nobody has.
 */
export function ownKey(table: string, t: OwnRow, institutions: { readonly id: AnyPgColumn }) {
  return [
    primaryKey({ name: `${table}_pkey`, columns: [t.institutionId, t.id] }),
    foreignKey({
      name: `${table}_institution_fk`,
      columns: [t.institutionId],
      foreignColumns: [institutions.id],
    }),
  ];
}

/**
 * A foreign key that cannot leave the institution. A column that is NULL is not looked at (MATCH SIMPLE).
 *
 * Never with CASCADE or SET NULL: the audit trigger of a row that a cascade reaches runs as the table's owner from PostgreSQL 18 on, and under FORCE that
 * owner may not write the log.
 */
export function within(
  name: string,
  t: { readonly institutionId: AnyPgColumn },
  column: AnyPgColumn,
  target: Referenced,
) {
  return foreignKey({
    name,
    columns: [t.institutionId, column],
    foreignColumns: [target.institutionId, target.id],
  });
}

/** What the eleven `hpc_` tables have in common: the key of a row and who wrote it. */
export function hpcKeys(
  table: string,
  t: OwnRow & { readonly createdBy: ExtraConfigColumn; readonly updatedBy: ExtraConfigColumn },
  {
    institutions,
    userProfiles,
  }: { readonly institutions: { readonly id: AnyPgColumn }; readonly userProfiles: Referenced },
): PgTableExtraConfigValue[] {
  return [
    ...ownKey(table, t, institutions),
    within(`${table}_created_by_fk`, t, t.createdBy, userProfiles),
    within(`${table}_updated_by_fk`, t, t.updatedBy, userProfiles),
    index(`${table}_created_by_idx`).on(t.institutionId, t.createdBy),
    index(`${table}_updated_by_idx`).on(t.institutionId, t.updatedBy),
  ];
}
