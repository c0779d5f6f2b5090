import { ident } from "../../sql/quote.ts";

/**
 * The ledger of a folder of migrations: one row for each that is applied, with what takes it back.
 *
 * Where a folder is applied to many schemas of one database, each has rows of its own, by `tenant`.
 */
export function schemaMigrationsHistory(schema: string): string {
  const s = ident(schema);
  return `
CREATE TABLE ${s}.schema_migrations (
  tenant text NOT NULL DEFAULT '',
  version text NOT NULL,
  ordinal bigint GENERATED ALWAYS AS IDENTITY,
  applied_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  rollback_sql text,
  checksum text NOT NULL,
  applied_by text NOT NULL DEFAULT SESSION_USER,
  migration_sql text,
  irreversible text,
  -- What takes it back: the text above, the undo of its stored plan, a function of its file, or nothing.
  back text NOT NULL DEFAULT 'nothing' CHECK (back IN ('sql', 'plan', 'function', 'nothing')),
  way text NOT NULL DEFAULT 'applied' CHECK (way IN
    ('applied', 'baseline', 'imported', 'squashed', 'repaired')),
  PRIMARY KEY (tenant, version)
);
COMMENT ON TABLE ${s}.schema_migrations IS 'underpin: which migrations of a folder are applied, and what takes each back';
`;
}
