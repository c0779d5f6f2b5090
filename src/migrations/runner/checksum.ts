import { createHash } from "node:crypto";

/**
 * A file as it is run and compared: without a byte order mark, lines ended by LF.
 *
 * PostgreSQL refuses a byte order mark (42601 at the first word), and a checkout on another system changes the line ends of a
 * file that nobody edited.
 */
export function plainText(text: string): string {
  return (text.startsWith("\uFEFF") ? text.slice(1) : text).replaceAll("\r\n", "\n");
}

/** The checksum of a migration: sha256 of its {@link plainText}, 64 hexadecimal characters. */
export function checksumOf(text: string): string {
  return sha256(plainText(text));
}

/** What Drizzle's own migrator would have noted for a file, whatever line ends it was checked out with. */
export function drizzleHashesOf(text: string): readonly string[] {
  const plain = plainText(text);
  return [...new Set([text, plain, plain.replaceAll("\n", "\r\n")])].map(sha256);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
