import { refuseFaults } from "./define-database.ts";
import type { Definition } from "./definition.ts";

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
  refuseFaults(combined);
  return combined;
}
