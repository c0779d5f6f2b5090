/**
 * A name of code as a person reads it.
 *
 * @example
 * words("references.onDelete"); // "references on delete"
 */
export function words(name: string): string {
  return name.replaceAll(".", " ").replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
