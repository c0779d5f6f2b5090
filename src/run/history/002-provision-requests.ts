import { ident } from "../../sql/quote.ts";

/**
 * What applications ask partitions for: a trigger files a row, a worker makes them and deletes it.
 *
 * No unique key: of two transactions that file the same, the second would wait for the first.
 */
export function provisionRequestsHistory(schema: string): string {
  const s = ident(schema);
  return `
CREATE TABLE ${s}.provision_requests (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  table_schema text NOT NULL,
  table_name text NOT NULL,
  list_values jsonb NOT NULL,
  requested_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  due_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  attempts integer NOT NULL DEFAULT 0,
  last_error text
);
CREATE INDEX provision_requests_due ON ${s}.provision_requests (table_schema, table_name, due_at);
COMMENT ON TABLE ${s}.provision_requests IS 'underpin: values whose partitions are to be made; due_at is in the future while a worker is at one, and after it failed';
`;
}
