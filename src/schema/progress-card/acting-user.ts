import type { AccessData } from "../../definition/access.ts";
import { literal } from "../../sql/quote.ts";

/**
 * Who writes, as SQL; NULL where no person does, as in a migration or a job of the night.
 *
 * Not `current_user_id()`, which refuses a missing context: a trigger runs for those too who need none.
 */
export function actingUser({ target, user }: AccessData): string {
  return target === "supabase"
    ? "auth.uid()"
    : `nullif(pg_catalog.current_setting(${literal(user.setting)}, true), '')::uuid`;
}
