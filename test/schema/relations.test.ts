import {
  createMany,
  createOne,
  extractTablesRelationalConfig,
  getTableColumns,
  is,
  Many,
  normalizeRelation,
  One,
  Relations,
  type AnyColumn,
  type Relation,
} from "drizzle-orm";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import { describe, expect, it } from "vitest";
import { observations } from "../../src/schema/observations/observations.ts";
import { observationsRelations } from "../../src/schema/observations/relations.ts";
import { testCycles } from "../../src/schema/test-cycles/test-cycles.ts";
import { testCyclesRelations } from "../../src/schema/test-cycles/relations.ts";

type Exports = Readonly<Record<string, unknown>>;

const hostile = observations({ schema: 'we"ird Schema', managementSchema: 'man"age' });
const numbered = testCycles({ keys: "integer", schema: "numbered" });

/** The ready domains, and two that a host has made. */
const CASES: readonly (readonly [what: string, tables: Exports, relations: Exports])[] = [
  ...(await Promise.all(
    ["reporting", "progress-card", "observations", "test-cycles", "project-reports"].map(
      async (domain) =>
        [
          domain,
          (await import(`../../src/schema/${domain}/index.ts`)) as Exports,
          (await import(`../../src/schema/${domain}/relations.ts`)) as Exports,
        ] as const,
    ),
  )),
  ["test-cycles with integer keys", numbered, testCyclesRelations(numbered)],
  ["observations in a hostile schema", hostile, observationsRelations(hostile)],
];

/** Foreign keys that are not followed, with the reason. */
const NOT_FOLLOWED: Readonly<Record<string, string>> = {
  user_credentials_user_fk: "nobody joins what a person signs in with to whom it shows",
  pmr_reports_simulation_fkey: "simulations are the host's, and may be none",
  monte_carlo_simulations_project_fkey: "a table of the host",
  project_members_project_fkey: "a table of the host",
  project_members_user_fkey: "a table of the host",
};

/** Joins without a foreign key, with the reason. */
const WITHOUT_KEY: Readonly<Record<string, string>> = {
  "petri_observations_by_submission.submission": "the copy is that of a row that has the key",
  "observation_locator.submission": "so is the locator",
};

for (const [domain, tables, relations] of CASES) {
  const of = new Map(
    Object.values(relations)
      .filter((value): value is Relations => is(value, Relations))
      .map(({ table, config }) => [
        table,
        Object.entries(config({ one: createOne(table), many: createMany(table) })),
      ]),
  );
  describe(`the relations of ${domain}`, () => {
    it("follow each foreign key by all of its columns, and nothing else", () => {
      const keys = new Map<string, string>();
      const ones = new Map<string, string>();
      for (const table of Object.values(tables)) {
        if (!is(table, PgTable)) continue;
        const { name: from, foreignKeys } = getTableConfig(table);
        for (const key of foreignKeys) {
          const { columns, foreignColumns } = key.reference();
          if (NOT_FOLLOWED[key.getName()] === undefined)
            keys.set(join(columns, foreignColumns), key.getName());
        }
        for (const [name, relation] of of.get(table) ?? [])
          if (is(relation, One) && relation.config !== undefined) {
            const { fields, references } = relation.config;
            const path = `${from}.${name}`;
            if (WITHOUT_KEY[path] === undefined) ones.set(join(fields, references), path);
          }
      }
      expect([...ones.keys()].sort()).toEqual([...keys.keys()].sort());
    });

    it("are told apart where two tables have several, so that every one can be joined", () => {
      const { tables: config, tableNamesMap } = extractTablesRelationalConfig(
        { ...tables, ...relations },
        (table) => ({ one: createOne(table), many: createMany(table) }),
      );
      const found = Object.values(config).flatMap((table) =>
        Object.values<Relation>(table.relations),
      );
      expect(found.length).toBeGreaterThan(15);
      for (const relation of found)
        expect(
          normalizeRelation(config, tableNamesMap, relation).fields.length,
          `${getTableConfig(relation.sourceTable as PgTable).name}.${relation.fieldName}`,
        ).toBeGreaterThan(0);
    });

    it("have names that no table and no column has", () => {
      expect(Object.keys(relations).filter((name) => name in tables)).toEqual([]);
      for (const [table, named] of of)
        for (const [name, relation] of named) {
          expect(name in getTableColumns(table), name).toBe(false);
          expect(is(relation, One) || is(relation, Many)).toBe(true);
        }
    });
  });
}

function join(columns: readonly AnyColumn[], references: readonly AnyColumn[]): string {
  const sides = [columns, references].map((side) => side.map(pathOf).join(","));
  return sides.join(" → ");
}

function pathOf({ table, name }: AnyColumn): string {
  return `${getTableConfig(table as PgTable).name}.${name}`;
}
