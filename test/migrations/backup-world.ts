import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** What is backed up: names that would mean something to a pattern of pg_dump. */
export const SETUP = `
CREATE SCHEMA "we""ird Schema";
CREATE TABLE "we""ird Schema"."ta""ble.*|$" (id int PRIMARY KEY, note text);
INSERT INTO "we""ird Schema"."ta""ble.*|$" SELECT g, 'x' FROM generate_series(1, 100) AS g;
CREATE TABLE public.orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at date NOT NULL);
INSERT INTO public.orders (at) SELECT '2026-01-01' FROM generate_series(1, 10);
CREATE TABLE public.parts (at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE public.parts_1 PARTITION OF public.parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO public.parts VALUES ('2026-02-01'), ('2026-03-01');
CREATE TABLE public."Orders" (id int);
CREATE TABLE public.nothing ();
CREATE VIEW public.latest AS SELECT max(at) AS at FROM public.orders;
`;

/** The table whose name would match others too, as a pattern. */
export const ODD = { schema: `we"ird Schema`, name: `ta"ble.*|$` };

/** A directory for the backups of one file. */
export function backupDirectory(): (name: string) => string {
  const directory = mkdtempSync(join(tmpdir(), "underpin-backup-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return (name) => join(directory, name);
}

/** The major version of the pg_dump of this machine; 0 where there is none. */
export function pgDumpMajor(): number {
  try {
    const text = execFileSync("pg_dump", ["--version"], { encoding: "utf8" });
    return Number(/\(PostgreSQL\) (\d+)/.exec(text)?.[1] ?? 0);
  } catch {
    return 0;
  }
}
