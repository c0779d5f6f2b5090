import type * as Pglite from "@electric-sql/pglite";
import { UnderpinError } from "../errors.ts";

type PgliteModule = typeof Pglite;

/** Loads PGlite, an optional peer, at first need: 20 ms and 25 MB that a server-only host does without. */
export async function loadPglite(): Promise<PgliteModule> {
  try {
    return await import("@electric-sql/pglite");
  } catch (cause) {
    throw new UnderpinError({
      code: "unsupportedDatabase",
      message: `the embedded database, package @electric-sql/pglite, cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'npm install --save-dev "@electric-sql/pglite@>=0.5.0 <0.6"',
      cause,
    });
  }
}
