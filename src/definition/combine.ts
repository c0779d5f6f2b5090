import type { AccessData } from "./access.ts";
import { refuseFaults } from "./define-database.ts";
import type { Definition } from "./definition.ts";
import type { DefinitionFault } from "./fault.ts";

/**
 * Several definitions as one.
 *
 * Each keeps its own access: its personas, roles, context functions and settings are those of its schema, and a persona of one reaches
 * nothing of another. Names may clash where schemas differ (`users` in two domains); the same object twice is refused.
 */
export function combine(...definitions: readonly [Definition, ...Definition[]]): Definition {
  const combined: Definition = {
    name: definitions.map(({ name }) => name).join("+"),
    tables: Object.fromEntries(
      definitions.flatMap(({ name, tables }) =>
        Object.entries(tables).map(([key, entity]) => [`${name}.${key}`, entity] as const),
      ),
    ),
    objects: definitions.flatMap(({ objects }) => objects),
    partitions: definitions.flatMap(({ partitions }) => partitions),
    access: definitions.flatMap(({ access }) => access),
    seeds: definitions.flatMap(({ seeds }) => seeds),
    requires: {
      server: Math.max(...definitions.map(({ requires }) => requires.server ?? 15)),
      tables: definitions.flatMap(({ requires }) => requires.tables ?? []),
      functions: definitions.flatMap(({ requires }) => requires.functions ?? []),
      extensions: definitions.flatMap(({ requires }) => requires.extensions ?? []),
    },
  };
  refuseFaults(combined, sharedAccess(combined));
  return combined;
}

/** Two accesses with one schema or one role would be one: a persona of the one would reach rows of the other. */
function sharedAccess({ access }: Definition): readonly DefinitionFault[] {
  return access.flatMap((each, at) =>
    access.slice(0, at).flatMap((other): readonly DefinitionFault[] => {
      if (each === other) return [];
      const shared = sharedRoles(each, other);
      if (each.schema !== other.schema && shared.length === 0) return [];
      return [
        {
          table: `schema ${each.schema}`,
          what:
            each.schema === other.schema
              ? "holds the functions of two accesses"
              : `has the roles ${shared.join(", ")} in common with schema ${other.schema}`,
          fix: "Give one of them another schema or rolePrefix: a persona of one would reach rows of the other.",
        },
      ];
    }),
  );
}

/** A migrator may be that of all, since it reaches every row; on Supabase one role serves the personas of all. */
function sharedRoles(one: AccessData, other: AccessData): readonly string[] {
  const bound = ({ roles, readerRole }: AccessData) => [...Object.values(roles), readerRole];
  const served = (role: string) =>
    [one, other].every(
      ({ target, roles }) => target === "supabase" && Object.values(roles).includes(role),
    );
  return [
    ...new Set([
      ...bound(one).filter((role) => [...bound(other), other.migratorRole].includes(role)),
      ...bound(other).filter((role) => role === one.migratorRole),
    ]),
  ].filter((role) => !served(role));
}
