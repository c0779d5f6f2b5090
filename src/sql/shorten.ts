import { createHash } from "node:crypto";

/** PostgreSQL's NAMEDATALEN is 64: 63 bytes and a NUL. */
const MAX_BYTES = 63;

/**
 * A name as it is if PostgreSQL keeps it whole, else cut with a stable hash of the whole, so that two long names
 * stay two.
 *
 * @example
 * shorten("orders_tenant_id_filled"); // "orders_tenant_id_filled"
 */
export function shorten(name: string): string {
  if (Buffer.byteLength(name) <= MAX_BYTES) return name;
  const suffix = `_${createHash("sha256").update(name).digest("hex").slice(0, 8)}`;
  let kept = "";
  let bytes = suffix.length;
  // By character, not by byte: a cut inside a character is not UTF-8.
  for (const character of name) {
    bytes += Buffer.byteLength(character);
    if (bytes > MAX_BYTES) break;
    kept += character;
  }
  return kept + suffix;
}
