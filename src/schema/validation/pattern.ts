/** The named classes of PostgreSQL's patterns (manual, §9.7.3) as JavaScript writes them inside brackets. */
const CLASSES: Readonly<Record<string, string>> = {
  alpha: "A-Za-z",
  digit: "0-9",
  alnum: "A-Za-z0-9",
  upper: "A-Z",
  lower: "a-z",
  space: "\\t-\\r ",
  blank: "\\t ",
  punct: "!-\\/:-@\\[-`{-~",
  xdigit: "0-9A-Fa-f",
};

/**
 * A pattern of `~` or `~*` as a regular expression, or null where the two languages part.
 *
 * In both `^` and `$` are the ends of the whole text; in PostgreSQL's a dot is also a line break. Named classes depend on the
 * collation there, and are taken with their ASCII meaning, which they have in "C".
 */
export function patternOf(pattern: string, insensitive: boolean): RegExp | null {
  // What begins with `***` or `(?` changes the language; classes in equals signs and dots are of a collation.
  if (/^\*\*\*|\(\?(?!:)|\[\[[.=]|\\[^sdD.\-\\/+*?()[\]{}|^$@]/.test(pattern)) return null;
  const unknown: string[] = [];
  const translated = pattern
    .replaceAll(/\[:([a-z]+):\]/g, (_, name: string) => {
      const members = CLASSES[name];
      if (members === undefined) unknown.push(name);
      return members ?? "";
    })
    // Inside brackets or outside of them.
    .replaceAll(/\[(?:\\.|[^\]\\])*\]|\\s/g, (part) =>
      part === "\\s" ? "[\\t-\\r ]" : part.replaceAll("\\s", "\\t-\\r "),
    );
  if (unknown.length > 0) return null;
  try {
    // With `u` a character is one, also beyond 65535; without it `i` folds as PostgreSQL does: the Kelvin sign is no `k`.
    return new RegExp(translated, insensitive ? "si" : "su");
  } catch {
    return null;
  }
}
