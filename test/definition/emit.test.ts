import * as pgCore from "drizzle-orm/pg-core";
import { getTableConfig, PgColumn, PgTable } from "drizzle-orm/pg-core";
import { is } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import type { Canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { MADE_BY } from "../../src/objects/made-by.ts";
import { catalogOf, kitStatements, ourStatements } from "./emit-catalog.ts";
import { everyColumn } from "./emit-columns.ts";
import { everyOption } from "./emit-tables.ts";

const HOSTILE = 'we"ird Schema';

describe("what is emitted", () => {
  for (const [what, make] of [
    ["columns", everyColumn],
    ["options", everyOption],
  ] as const) {
    for (const schema of ["odd Schema", "public"])
      it(`makes the same catalog as drizzle-kit of all ${what} in ${schema}`, async () => {
        const values = make(schema);
        const theirs = await catalogOf(await kitStatements(values));
        const ours = await catalogOf(ourStatements(values));
        expect(Object.keys(theirs).length).toBeGreaterThan(90);
        const mark = { path: `schema "${schema}": comment`, before: "nothing", after: MADE_BY };
        expect(compareCatalogs(theirs, ours)).toEqual(schema === "public" ? [] : [mark]);
      });

    it(`makes the same of all ${what} in a schema whose name drizzle-kit cannot write`, async () => {
      const plain = await catalogOf(ourStatements(make("odd Schema")));
      const hostile = await catalogOf(ourStatements(make(HOSTILE)));
      expect(compareCatalogs(plain, renamed(hostile))).toEqual([]);
    });
  }

  it("is tried with every class of column that Drizzle exports", () => {
    const exported = Object.values(pgCore).filter(
      (value): value is typeof PgColumn =>
        typeof value === "function" && value.prototype instanceof PgColumn,
    );
    const used = new Set<unknown>(
      Object.values(everyColumn("app"))
        .filter((value) => is(value, PgTable))
        .flatMap((table) => getTableConfig(table).columns.map(({ constructor }) => constructor)),
    );
    const unused = exported.filter((type) => !used.has(type)).map(({ name }) => name);
    // The one is a column inside a table's third argument.
    expect(unused).toEqual(["ExtraConfigColumn"]);
  });

  it("is tried with every method of the builders that Drizzle exports", () => {
    const methods = Object.entries(pgCore)
      .filter(
        ([name]) =>
          /(?:Builder(?:On|Core)?|Constraint|^PgPolicy|^PgRole|^PgSchema|^ExtraConfigColumn)$/.test(
            name,
          ) && !/Select|Insert|Update|Query/.test(name),
      )
      .flatMap(([, value]) => ownMethods(value));
    expect([...new Set(methods)].sort()).toEqual([...KNOWN].sort());
  });
});

/** Each is called by the fixtures, or makes no SQL: `$type`, `getSQL`, what builds and names. */
const KNOWN: readonly string[] = `
  $defaultFn $onUpdateFn $type array as asc build buildExtraConfigColumn buildForeignKeys concurrently default defaultNow
  defaultRandom desc enum existing generatedAlwaysAs generatedAlwaysAsIdentity generatedByDefaultAsIdentity getName getSQL
  getSQLType link mapFromDriverValue mapToDriverValue notNull nullsFirst nullsLast nullsNotDistinct on onDelete onOnly
  onUpdate op primaryKey references setName shouldDisableInsert shouldOmitSQLParens tablespace unique using where with
  withNoData`
  .trim()
  .split(/\s+/);

function ownMethods(value: unknown): readonly string[] {
  const found: string[] = [];
  let at: unknown = typeof value === "function" ? value.prototype : undefined;
  while (typeof at === "object" && at !== null && at !== Object.prototype) {
    found.push(...Object.getOwnPropertyNames(at).filter((name) => name !== "constructor"));
    at = Object.getPrototypeOf(at);
  }
  return found;
}

/** The hostile name of the schema written as the plain one, wherever it is. */
function renamed(catalog: Canonical): Canonical {
  const text = JSON.stringify(catalog);
  const quoted = JSON.stringify('"we""ird Schema"').slice(1, -1);
  return JSON.parse(
    text
      .replaceAll(quoted, JSON.stringify('"odd Schema"').slice(1, -1))
      .replaceAll(JSON.stringify(HOSTILE).slice(1, -1), "odd Schema"),
  ) as Canonical;
}
