import { getTableConfig } from "drizzle-orm/pg-core";
import type { Scheme } from "../definition/scheme.ts";
import type { Archive } from "../partitioning/maintenance/archive.ts";
import type { Handler } from "../run/options.ts";
import { loadFile } from "./load-module.ts";
import { misuse } from "./misuse.ts";

/** What a file says of the partitions that are to be maintained. */
export interface SchemeFile {
  readonly schemes: readonly Scheme[];
  readonly archive: Archive | undefined;
  readonly handlers: Readonly<Record<string, Handler>>;
}

/** Reads the schemes of a module: its exports that are schemes, lists of them, or definitions with partitions. */
export async function readSchemeFile(file: string): Promise<SchemeFile> {
  const loaded = await loadFile(file);
  const inner = loaded["default"];
  const exports = { ...(typeof inner === "object" ? inner : {}), ...loaded };
  const schemes = [...new Set(Object.values(exports).flatMap(schemesOf))];
  if (schemes.length === 0)
    throw misuse(
      `${file} exports no scheme`,
      'Export one: export const scheme = partitionBy(readings, range(readings.at, { every: "1 month" })); a definition with partitions will do too.',
    );
  return {
    schemes,
    archive: exports["archive"] as Archive | undefined,
    handlers: (exports["handlers"] ?? {}) as SchemeFile["handlers"],
  };
}

function schemesOf(value: unknown): readonly Scheme[] {
  if (Array.isArray(value)) return value.flatMap(schemesOf);
  if (typeof value !== "object" || value === null) return [];
  if ("dimensions" in value && "table" in value && "prefix" in value) {
    // Refused here by name, and not at the first statement.
    getTableConfig((value as Scheme).table);
    return [value as Scheme];
  }
  return "partitions" in value && Array.isArray(value.partitions)
    ? value.partitions.flatMap(schemesOf)
    : [];
}
