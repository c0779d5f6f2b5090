import type { FileStatement } from "./split-statements.ts";
import { wordsOf } from "./statement-names.ts";

/** What SET is not about a setting of the session. */
const NO_SETTING = new Set(["local", "constraints", "transaction", "session_authorization"]);

/**
 * A statement whose settings end with its transaction: `SET x` becomes `SET LOCAL x`, and `set_config(…, false)` true.
 *
 * What pg_dump writes at the head of a file (`set_config('search_path', '', false)`) would stay on a pooled connection for whoever
 * gets it next.
 */
export function localSettings({ sql, tokens }: FileStatement): string {
  const words = wordsOf(tokens);
  const start = tokens[0]?.start ?? 0;
  if (words[0] === "set" && !NO_SETTING.has(words[1] ?? "")) {
    if (words[1] === "session" && words[2] === "characteristics") return sql;
    const session = words[1] === "session" && words[2] !== "authorization";
    const rest = tokens[session ? 2 : 1]?.start ?? start;
    return `SET LOCAL ${sql.slice(rest - start)}`;
  }
  let changed = sql;
  for (const [at, { value, kind }] of [...tokens.entries()].toReversed()) {
    if (kind !== "word" || value !== "false" || tokens[at + 1]?.value !== ")") continue;
    const call = words.lastIndexOf("set_config", at);
    if (call === -1 || tokens.slice(call, at).some((token) => token.value === ")")) continue;
    const place = tokens[at];
    if (place !== undefined)
      changed = `${changed.slice(0, place.start - start)}true${changed.slice(place.end - start)}`;
  }
  return changed;
}

/** Whether a statement changes a setting, or the role, for what comes after it. */
export function changesSettings({ tokens }: FileStatement): boolean {
  const words = wordsOf(tokens);
  return words[0] === "set" || words[0] === "reset" || words.includes("set_config");
}
