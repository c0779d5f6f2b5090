import { toExecutor, type DatabaseLike } from "../../executor/connect.ts";
import { targetOf, type TableTarget } from "../../plan/target.ts";
import { qualified } from "../../sql/quote.ts";

/** Which key is asked for, by one of its two forms. */
export type ResolveKeyOptions = TableTarget & {
  /** Where the mapping is. @default the schema of the table */
  readonly mapping?: string;
} & ({ readonly id: number | bigint | string } | { readonly uuid: string });

/** Both forms of a key; null where the other one is not known. */
export interface ResolvedKey {
  readonly id: string | null;
  readonly uuid: string | null;
}

/**
 * The UUID of an integer that comes from outside (a link, a file, another system), or the integer of a UUID: during the overlap, and for ever.
 *
 * The login needs EXECUTE on the two functions that look (`resolvers` of `convertPrimaryKey`). They do not look whether the row is there.
 *
 * @example
 * import { resolveKey } from "underpin/migrations";
 *
 * // const { uuid } = await resolveKey(db, { table: "users", id: 5 });
 * typeof resolveKey; // "function"
 */
export async function resolveKey(
  db: DatabaseLike,
  options: ResolveKeyOptions,
): Promise<ResolvedKey> {
  const { schema, name } = targetOf(options);
  const { mapping = schema } = options;
  const table = mapping === schema && !name.includes(".") ? name : `${schema}.${name}`;
  const [call, value, type] =
    "id" in options
      ? ([`underpin_resolve_uuid`, String(options.id), "bigint"] as const)
      : ([`underpin_resolve_id`, options.uuid, "uuid"] as const);
  const [row] = await toExecutor(db).query<{ found: string | null }>(
    `SELECT ${qualified(mapping, call)}($1::text, $2::text::${type})::text AS found`,
    [table, value],
  );
  const found = row?.found ?? null;
  return "id" in options ? { id: value, uuid: found } : { id: found, uuid: value };
}
