import { namedPath } from "../catalog/path.ts";
import type { AccessData, Lookup } from "../definition/access.ts";
import { lookupFunction } from "../definition/lookup-function.ts";
import { UnderpinError } from "../errors.ts";
import type { DatabaseObject } from "../objects/object.ts";
import { pgFunction } from "../objects/pg-function.ts";
import { ident, qualified } from "../sql/quote.ts";
import { contextFunctionId } from "./context-functions.ts";
import { asReader } from "./reader-ownership.ts";

/**
 * The functions of the lookups, each an array of the ids that the user reaches.
 *
 * SECURITY DEFINER, since a policy that reads a table with a policy recurses; owned by the reader, since under FORCE the table's owner
 * recurses too ("stack depth limit exceeded"). An array compares through the index, where a set is hashed after reading all of it.
 */
export function lookupFunctions(
  access: AccessData,
  kindOf: (relation: Lookup["reads"][number]) => string,
): readonly DatabaseObject[] {
  const { schema, readerRole } = access;
  const personas = [...new Set(Object.values(access.roles))];
  return access.lookups.map((lookup) => {
    if (lookup.query === null) throw withoutBody(access, lookup);
    const made = pgFunction({
      schema,
      name: lookupFunction(lookup.name),
      returns: `${lookup.type}[]`,
      language: "sql",
      volatility: "stable",
      parallel: "safe",
      security: "definer",
      // Drizzle writes the tables of `public` without their schema. What is temporary comes last, or it would come first.
      ...(lookup.reads.some((read) => read.schema === "public")
        ? { searchPath: ["public", "pg_temp"] }
        : {}),
      executeTo: personas,
      comment: `The ids of "${lookup.name}" that the user of this transaction reaches.`,
      dependsOn: [
        contextFunctionId(access, "current_user_id"),
        contextFunctionId(access, "current_tenant_id"),
        ...[...personas, readerRole].map((role) => `role ${ident(role)}`),
        ...lookup.reads.map((read) => namedPath(kindOf(read), read.schema, read.name)),
      ],
      body: `SELECT ARRAY(${lookup.query})::${lookup.type}[]`,
    });
    const called = `FUNCTION ${qualified(schema, made.name)}()`;
    return {
      ...made,
      create: asReader(access, schema, [
        made.create,
        `ALTER ${called} OWNER TO ${ident(readerRole)}`,
      ]).join(";\n"),
    };
  });
}

function withoutBody({ schema }: AccessData, { name }: Lookup): UnderpinError {
  return new UnderpinError({
    code: "invalidInput",
    message: `the lookup "${name}" of the access "${schema}" has no body`,
    hint: `Say what it looks up where the tables exist: access.with({ ${name}: (db, me) => db.select({ id: … }).from(…).where(eq(…, me.userId)) }), and hand that access to defineDatabase.`,
  });
}
