import { ident } from "../../sql/quote.ts";

/** Runs of plans: one row a run, one a step, one lease a plan name, and the ranges of backfills. */
export function runsHistory(schema: string): string {
  const s = ident(schema);
  return `
CREATE TABLE ${s}.runs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  hash text NOT NULL,
  plan jsonb NOT NULL,
  state text NOT NULL CHECK (state IN
    ('running', 'waiting', 'paused', 'stopped', 'failed', 'applied', 'undoing', 'undone')),
  pause_requested boolean NOT NULL DEFAULT false,
  undo_up_to text,
  server_version_num integer NOT NULL,
  started_by text NOT NULL DEFAULT SESSION_USER,
  started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  changed_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
-- A run that was taken back whole is history: its name is free again.
CREATE UNIQUE INDEX runs_name_live ON ${s}.runs (name) WHERE state <> 'undone';
COMMENT ON TABLE ${s}.runs IS 'underpin: every execution of a plan, with the whole plan';

CREATE TABLE ${s}.steps (
  run_id bigint NOT NULL REFERENCES ${s}.runs (id) ON DELETE CASCADE,
  id text NOT NULL,
  ordinal integer NOT NULL,
  state text NOT NULL CHECK (state IN
    ('pending', 'skipped', 'claimed', 'confirmed', 'failed', 'applied', 'undone')),
  attempts integer NOT NULL DEFAULT 0,
  backend_pid integer,
  backend_start timestamptz,
  confirmed_by text,
  error jsonb,
  changed_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  PRIMARY KEY (run_id, id)
);
COMMENT ON TABLE ${s}.steps IS 'underpin: the journal, one row a step, keyed by step id and never by position';

CREATE TABLE ${s}.leases (
  name text PRIMARY KEY,
  token bigint NOT NULL,
  owner text NOT NULL,
  heartbeat_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
COMMENT ON TABLE ${s}.leases IS 'underpin: who may run a plan; the token fences off a holder that was frozen';

CREATE TABLE ${s}.backfill_ranges (
  run_id bigint NOT NULL,
  step_id text NOT NULL,
  ordinal integer NOT NULL,
  reached jsonb,
  done boolean NOT NULL DEFAULT false,
  rows_changed bigint NOT NULL DEFAULT 0,
  batches bigint NOT NULL DEFAULT 0,
  changed_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  PRIMARY KEY (run_id, step_id, ordinal),
  FOREIGN KEY (run_id, step_id) REFERENCES ${s}.steps (run_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE ${s}.backfill_ranges IS 'underpin: how far each range of a backfill has come';
`;
}
