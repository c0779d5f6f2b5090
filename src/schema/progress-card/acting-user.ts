import type { AccessData } from "../../definition/access.ts";
import { literal } from "../../sql/quote.ts";

/**
 * Who writes, as SQL; NULL where no person does, as in a migration or a job of the night.
 *
 * Not `current_user_id()`, which refuses a missing context, nor `auth.uid()`, which the migrator may not call: a trigger runs for those too who need no
 * context. It reads what `current_user_id()` reads, so that policies and the log never name two people.
 */
export function actingUser({ target, user }: AccessData): string {
  const setting = (name: string) =>
    `nullif(pg_catalog.current_setting(${literal(name)}, true), '')`;
  return target === "supabase"
    ? `(${setting("request.jwt.claims")}::jsonb ->> 'sub')::uuid`
    : `${setting(user.setting)}::uuid`;
}
