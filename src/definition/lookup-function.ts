/** The name of the function of a lookup. */
export function lookupFunction(name: string): string {
  return `${name}_ids`;
}
