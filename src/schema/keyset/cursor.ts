import { createHash } from "node:crypto";
import { getTableUniqueName } from "drizzle-orm";
import { UnderpinError } from "../../errors.ts";
import type { OrderedColumn } from "./order.ts";

/**
 * The text of a cursor: JSON in base64url, with a mark of the order that it belongs to, so that the cursor of one list is refused by
 * another.
 */

/** The mark of an order: of its columns, their types and directions. */
export function signatureOf(ordered: readonly OrderedColumn[]): string {
  const parts = ordered.map(({ column, isDescending, nullsFirst }) => [
    getTableUniqueName(column.table),
    column.name,
    column.columnType,
    isDescending,
    nullsFirst,
  ]);
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64url").slice(0, 8);
}

/** The cursor of a row. */
export function encodeCursor(
  row: Readonly<Record<string, unknown>>,
  signature: string,
  ordered: readonly OrderedColumn[],
): string {
  const values = ordered.map(({ property, column, kind }) => {
    const value = row[property];
    if (value === null && !column.notNull) return null;
    const encoded = value === undefined || value === null ? undefined : kind.encode(value);
    // What cannot be read again is no place to go on from: infinity, or a year that has five digits.
    if (encoded !== undefined && kind.decode(encoded) !== undefined) return encoded;
    throw new UnderpinError({
      code: "invalidInput",
      message: `the row has no ${kind.name} as "${property}" to make a cursor of`,
      hint: "Select the ordered columns under the names that the order gives them.",
    });
  });
  return Buffer.from(JSON.stringify([signature, ...values])).toString("base64url");
}

/** The values of a cursor, each of its column's type, or an error: a cursor comes from outside. */
export function decodeCursor(
  cursor: string,
  signature: string,
  ordered: readonly OrderedColumn[],
): readonly unknown[] {
  const [mark, ...values] = partsOf(cursor);
  if (mark !== signature) throw refused("it is of another list, or no cursor at all");
  if (values.length !== ordered.length) throw refused(`it has ${values.length} values`);
  return ordered.map(({ property, column, kind }, at) => {
    const json = values[at];
    if (json === null && !column.notNull) return null;
    const value = kind.decode(json);
    if (value === undefined) throw refused(`its ${property} is not ${kind.name}`);
    return value;
  });
}

function partsOf(cursor: string): readonly unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
    return Array.isArray(parts) ? parts : [];
  } catch {
    return [];
  }
}

function refused(why: string): UnderpinError {
  return new UnderpinError({
    code: "invalidInput",
    message: `the cursor cannot be used: ${why}`,
    hint: "Take `next` of the page before as it is, or begin with the first page.",
  });
}
