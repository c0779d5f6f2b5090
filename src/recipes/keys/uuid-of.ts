import { createHash } from "node:crypto";
import { UnderpinError } from "../../errors.ts";

/**
 * The UUID that stands for an integer key: of version 8 (RFC 9562), the same wherever it is computed.
 *
 * Its leading bits are the integer, so that converted rows keep their order and lie side by side in an index, before those that get
 * a version 7; its last 56 are of SHA-256 over `namespace:id`, so that two tables have no key in common. It says the integer to
 * everybody, as the integer did.
 *
 * @example
 * import { uuidOf } from "underpin/migrations";
 *
 * uuidOf("public.users", 5); // "00000000-0000-8000-85a5-c270b7f69bf6"
 */
export function uuidOf(namespace: string, id: number | bigint): string {
  const value = BigInt(id);
  if (BigInt.asIntN(64, value) !== value)
    throw new UnderpinError({
      code: "invalidInput",
      message: `${String(id)} is no bigint of PostgreSQL`,
      hint: "Give a whole number of 64 bits.",
    });
  const bits = BigInt.asUintN(64, value).toString(16).padStart(16, "0");
  const tag = createHash("sha256").update(`${namespace}:${value.toString()}`).digest("hex");
  const hex = `${bits.slice(0, 12)}8${bits.slice(12, 15)}8${bits.slice(15)}${tag.slice(0, 14)}`;
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/**
 * The integer that a UUID stands for; undefined where it is none of {@link uuidOf} in this namespace, as that of a row which a new version
 * of the application gave a key of its own: that one is in the mapping.
 *
 * @example
 * import { idOf, uuidOf } from "underpin/migrations";
 *
 * idOf("public.users", uuidOf("public.users", 5)); // 5n
 */
export function idOf(namespace: string, key: string): bigint | undefined {
  const hex = key.replaceAll("-", "").toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(hex)) return undefined;
  const id = BigInt.asIntN(64, BigInt(`0x${hex.slice(0, 12)}${hex.slice(13, 16)}${hex[17] ?? ""}`));
  return uuidOf(namespace, id).replaceAll("-", "") === hex ? id : undefined;
}
