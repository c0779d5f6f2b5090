import { inject } from "vitest";
import "./provided.ts";
import type { TestEngine } from "./server.ts";

/**
 * `UNDERPIN_CONTRACT=all` runs every case of every matrix on every engine, as before a release; without it a case whose answer
 * another engine of the same major gives is left out.
 */
export const WHOLE_MATRIX = process.env.UNDERPIN_CONTRACT === "all";

/** Of a long list PGlite gets every eighth: enough to see that its driver carries the answers. */
const SAMPLE = 8;

/**
 * The cases of a long list that an engine is asked, where the list is about PostgreSQL and not about a driver: all on a server, a
 * sample on PGlite where a server of the same major is asked them all. One reading of a catalog takes PGlite ten times as long.
 */
export function casesOn<T>({ kind, major }: TestEngine, cases: readonly T[]): readonly T[] {
  const { servers } = inject("underpinServers");
  const elsewhere = servers.some((server) => server.major === major);
  if (WHOLE_MATRIX || kind === "server" || !elsewhere) return cases;
  return cases.filter((_, index) => index % SAMPLE === 0);
}
