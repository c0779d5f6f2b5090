import type { AccessData } from "../definition/access.ts";
import type { DatabaseObject } from "../objects/object.ts";
import { pgFunction, type FunctionObject, type FunctionOptions } from "../objects/pg-function.ts";
import { pgGrant, type TablePrivilege } from "../objects/pg-grant.ts";
import type { RelationName } from "../plan/step.ts";
import { ident, qualified } from "../sql/quote.ts";
import { afterWithdrawal, rolePolicy } from "./protect-table.ts";
import { asReader } from "./reader-ownership.ts";

/**
 * A trigger function that runs as the reader, for a table that no persona writes.
 *
 * Whether a trigger of ours is at work cannot be asked from within: `pg_trigger_depth()` is above one under any trigger, and everybody may make a
 * temporary table with one. As whom a function runs can be asked, and only its owner's functions run as the owner. Who installs may
 * execute it: CREATE TRIGGER wants that, and so does every partition that is made later, since it gets the trigger too (15 and 18).
 */
export function readerTrigger(
  access: AccessData,
  options: Omit<FunctionOptions, "returns" | "security" | "executeTo" | "owner">,
): FunctionObject {
  const { schema = "public", name } = options;
  const made = pgFunction({
    ...options,
    returns: "trigger",
    security: "definer",
    dependsOn: [...(options.dependsOn ?? []), `role ${ident(access.readerRole)}`],
  });
  const called = `FUNCTION ${qualified(schema, name)}()`;
  return {
    ...made,
    create: asReader(access, schema, [
      made.create,
      `ALTER ${called} OWNER TO ${ident(access.readerRole)}`,
      `GRANT EXECUTE ON ${called} TO CURRENT_USER`,
    ]).join(";\n"),
  };
}

/** What the reader needs to write a table by {@link readerTrigger}: privileges, and a policy, since FORCE binds it as everybody. */
export function readerWrites(
  access: AccessData,
  relation: RelationName,
  privileges: readonly [TablePrivilege, ...TablePrivilege[]],
): readonly DatabaseObject[] {
  const only = privileges.length === 1 && privileges[0] === "insert" ? "insert" : "all";
  const grant = pgGrant({
    schema: relation.schema,
    table: relation.name,
    to: access.readerRole,
    privileges,
  });
  return [
    afterWithdrawal(grant, relation),
    rolePolicy(relation, "reader_writes", only, access.readerRole),
  ];
}
