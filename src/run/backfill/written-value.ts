/**
 * What a handler returned for a column, as the text that PostgreSQL casts to the column's type; null for NULL.
 *
 * JSON would make NULL of NaN, an object of bytes, and nothing of a bigint. A value of json or jsonb was handed over parsed, and
 * is written as it was: the text `1` stays a text.
 */
export function writtenValue(value: unknown, type: string): string | null {
  if (value === null) return null;
  if (type === "json" || type === "jsonb") return JSON.stringify(value);
  if (typeof value === "string") return value;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString("hex")}`;
  if (Array.isArray(value) && type.endsWith("[]")) return arrayText(value, type.slice(0, -2));
  return typeof value === "object" ? JSON.stringify(value) : `${value as number}`;
}

function arrayText(values: readonly unknown[], type: string): string {
  const elements = values.map((value) => {
    if (Array.isArray(value) && type !== "json" && type !== "jsonb") return arrayText(value, type);
    const text = writtenValue(value ?? null, type);
    return text === null ? "NULL" : `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
  });
  return `{${elements.join(",")}}`;
}
