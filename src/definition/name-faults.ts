import type { DatabaseObject } from "../objects/object.ts";
import type { AccessData } from "./access.ts";
import type { DefinitionFault } from "./fault.ts";
import { lookupFunction } from "./lookup-function.ts";

/** PostgreSQL's NAMEDATALEN is 64: it cuts a longer name and says so in a notice only, so that two names may become one. */
const MOST_BYTES = 63;

/** What is wrong with a name of so many bytes, as the end of a sentence. */
export function longName(what: string, name: string): string | undefined {
  const bytes = Buffer.byteLength(name);
  return bytes > MOST_BYTES
    ? `has ${what} of ${bytes} bytes, of which PostgreSQL keeps ${MOST_BYTES}: ${name}`
    : undefined;
}

/**
 * Roles and lookup functions of an access that would be another's: by a name that PostgreSQL cuts, or by the same name. Roles are made where they are not there,
 * so that the second would silently be the first: a persona would be the role that reads every row.
 */
export function accessNameFaults(access: AccessData): readonly DefinitionFault[] {
  const { schema, target, roles, readerRole, migratorRole, lookups } = access;
  const table = `access "${schema}"`;
  const personas = Object.entries(roles).map(([persona, role]) => ({
    of: `the persona "${persona}"`,
    role,
  }));
  const all = [
    ...personas,
    { of: "the reader", role: readerRole },
    { of: "the migrator", role: migratorRole },
  ];
  const long = [
    ...all.map(({ of, role }) => ({
      what: longName(`for ${of} a role`, role),
      fix: "Give rolePrefix, the persona or migratorRole a shorter name.",
    })),
    ...lookups.map(({ name }) => ({
      what: longName(`for the lookup "${name}" a function`, lookupFunction(name)),
      fix: "Give the lookup a shorter name.",
    })),
  ].flatMap(({ what, fix }) => (what === undefined ? [] : [{ table, what, fix }]));
  const same = all.flatMap((one, at) =>
    all
      .slice(0, at)
      .filter(({ role }) => role === one.role)
      // On Supabase one role serves all personas.
      .filter(() => target !== "supabase" || at >= personas.length)
      .map(
        (other): DefinitionFault => ({
          table,
          what: `has the role ${one.role} for ${other.of} and for ${one.of}`,
          fix: "Give the persona, rolePrefix or migratorRole another name: each would reach what the other reaches.",
        }),
      ),
  );
  return [...long, ...same];
}

/** Objects written by hand whose names PostgreSQL would cut: their ids have each name in quotes. */
export function objectNameFaults(objects: readonly DatabaseObject[]): readonly DefinitionFault[] {
  return objects.flatMap(({ id }) =>
    [...id.matchAll(/"((?:[^"]|"")*)"/g)].flatMap(([, quoted = ""]): readonly DefinitionFault[] => {
      const what = longName("a name", quoted.replaceAll('""', '"'));
      return what === undefined ? [] : [{ table: id, what, fix: "Give it a shorter name." }];
    }),
  );
}
