import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core";

/** What the queries need of a Drizzle database of any driver; a transaction has it too. */
export type Reader = Pick<PgDatabase<PgQueryResultHKT>, "select">;
