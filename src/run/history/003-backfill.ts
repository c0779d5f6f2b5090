import { ident } from "../../sql/quote.ts";

/** Ranges that many workers share, rows that could not be changed, and why a run paused by itself. */
export function backfillHistory(schema: string): string {
  const s = ident(schema);
  return `
ALTER TABLE ${s}.runs ADD COLUMN pause_reason text;

-- reached is exclusive and begins as the lower edge of the range; upper is inclusive; NULL is no edge.
ALTER TABLE ${s}.backfill_ranges
  ADD COLUMN upper jsonb,
  ADD COLUMN worker text,
  ADD COLUMN token bigint NOT NULL DEFAULT 0,
  ADD COLUMN lease_until timestamptz,
  ADD COLUMN failed_batches bigint NOT NULL DEFAULT 0,
  ADD COLUMN busy_ms double precision NOT NULL DEFAULT 0,
  ADD COLUMN slowest_ms double precision NOT NULL DEFAULT 0,
  ADD COLUMN began_at timestamptz,
  ADD COLUMN ended_at timestamptz;

CREATE TABLE ${s}.backfill_failures (
  run_id bigint NOT NULL,
  step_id text NOT NULL,
  key jsonb NOT NULL,
  after jsonb,
  sql_state text,
  message text NOT NULL,
  attempts integer NOT NULL,
  failed_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  PRIMARY KEY (run_id, step_id, key),
  FOREIGN KEY (run_id, step_id) REFERENCES ${s}.steps (run_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE ${s}.backfill_failures IS 'underpin: rows that a backfill could not change, by key';
`;
}
