import { beforeAll, describe, expect, expectTypeOf, it } from "vitest";
import type { Canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { snapshot } from "../../src/install/snapshot.ts";
import * as domain from "../../src/schema/test-cycles/index.ts";

const { cycleReports, definition, testCycles, users } = domain;

const integers = testCycles({ keys: "integer", schema: "tc" });
const uuids = testCycles({ keys: "uuid", schema: "tc" });

type Integers = typeof integers;
type Uuids = typeof uuids;

/** A row whose keys, by name, are numbers, as the same row with texts. */
type Rekeyed<Row, Key> = {
  [P in keyof Row]: P extends Key ? Exclude<Row[P], number> | TextOf<Row[P]> : Row[P];
};
type TextOf<V> = number extends V ? string : never;
type KeyName =
  | `${"lob" | "user" | "manager" | "role" | "permission" | "report" | "cycle" | "phase"}Id`
  | `${"sample" | "execution" | "observation" | "request" | "profile" | "audit" | "entity"}Id`
  | `${"llmAudit" | "ownerUser" | "reportOwner" | "testManager" | "currentReport"}Id`
  | `${"tester" | "parentObservation" | "dataProvider" | "planningAttribute"}Id`
  | `${"assigned" | "completed" | "decided" | "approved" | "created" | "requested"}By`
  | "id"
  | "assignedTo";

/** The tables whose rows differ by the type of their keys only. */
type Alike = {
  [P in keyof Integers]: Integers[P] extends { readonly $inferSelect: unknown }
    ? P extends "cycleReports" | "cycleReportScopingAttributes"
      ? never
      : P
    : never;
}[keyof Integers];
type SelectOf<T> = T extends { readonly $inferSelect: infer Row } ? Row : never;

describe("the two forms of test cycles, as types", () => {
  it("give the same rows but for the type of their keys", () => {
    expectTypeOf<{ [P in Alike]: Rekeyed<SelectOf<Integers[P]>, KeyName> }>().toEqualTypeOf<{
      [P in Alike]: { [C in keyof SelectOf<Uuids[P]>]: SelectOf<Uuids[P]>[C] };
    }>();
    expectTypeOf<Integers["users"]["$inferSelect"]["userId"]>().toEqualTypeOf<number>();
    expectTypeOf<Uuids["users"]["$inferSelect"]["userId"]>().toEqualTypeOf<string>();
    expectTypeOf<Uuids["users"]["$inferSelect"]["managerId"]>().toEqualTypeOf<string | null>();
  });

  it("give the report of a cycle an id with uuids, and its scoping one key in place of two", () => {
    type Row<D, T extends keyof D> = SelectOf<D[T]>;
    type Added = Exclude<keyof Row<Uuids, "cycleReports">, keyof Row<Integers, "cycleReports">>;
    expectTypeOf<Added>().toEqualTypeOf<"id">();
    type Before = keyof Row<Integers, "cycleReportScopingAttributes">;
    type After = keyof Row<Uuids, "cycleReportScopingAttributes">;
    expectTypeOf<Exclude<Before, After>>().toEqualTypeOf<"attributeId" | "planningAttributeId">();
    expectTypeOf<Exclude<After, Before>>().toEqualTypeOf<"id">();
  });

  it("take no number for a key that PostgreSQL gives out, a uuid where one is at hand, and the attribute's for its scoping", () => {
    expectTypeOf<Integers["users"]["$inferInsert"]>().not.toHaveProperty("userId");
    type Given = Uuids["users"]["$inferInsert"]["userId"];
    expectTypeOf<Given>().toEqualTypeOf<string | undefined>();
    type Scoped = Uuids["cycleReportScopingAttributes"]["$inferInsert"]["id"];
    expectTypeOf<Scoped>().toEqualTypeOf<string>();
  });

  it("are the form with uuids where nothing is said", () => {
    expectTypeOf<(typeof users)["$inferSelect"]["userId"]>().toEqualTypeOf<string>();
    expect(users.userId.getSQLType()).toBe("uuid");
    expect(cycleReports.id.getSQLType()).toBe("uuid");
    expect(definition.name).toBe("test_cycles");
  });

  it("are exported whole, each table, enum, view and the schema once", () => {
    const exported = Object.values<unknown>(domain);
    const entities = Object.values(definition.tables);
    expect(entities).toHaveLength(1 + 12 + 20 + 1);
    for (const entity of entities)
      expect(exported.filter((value) => value === entity)).toHaveLength(1);
  });
});

describe("the two forms of test cycles, in the catalog", () => {
  let before: Canonical;
  let after: Canonical;
  beforeAll(async () => {
    before = (await snapshot(integers.definition)).catalog;
    after = (await snapshot(uuids.definition)).catalog;
  });

  const paths = (catalog: Canonical, kind: string) =>
    Object.keys(catalog).filter((path) => path.startsWith(`${kind} `));

  it("have twenty tables, twelve enums, one view, and the functions, triggers and policies of both", () => {
    for (const catalog of [before, after]) {
      const counts = ["table", "type", "view", "function", "trigger", "policy"].map(
        (kind) => [kind, paths(catalog, kind).length] as const,
      );
      expect(Object.fromEntries(counts)).toEqual({
        table: 20,
        type: 12,
        view: 1,
        function: 15,
        trigger: 40,
        policy: 226,
      });
    }
    expect([paths(before, "index").length, paths(after, "index").length]).toEqual([74, 75]);
  });

  it("differ in these things and in no others, when integer is read as uuid", () => {
    const found = compareCatalogs(asUuid(before), asUuid(after));
    expect(found.map(({ path, before: was, after: is }) => `${path}: ${was} → ${is}`))
      .toMatchInlineSnapshot(`
      [
        "column "attribute_id" of table "tc"."cycle_report_scoping_attributes": uuid → not there",
        "column "id" of table "tc"."cycle_report_scoping_attributes": not there → uuid",
        "column "id" of table "tc"."cycle_reports": not there → uuid",
        "column "planning_attribute_id" of table "tc"."cycle_report_scoping_attributes": uuid → not there",
        "constraint "cycle_report_scoping_attributes_attribute_fkey" of table "tc"."cycle_report_scoping_attributes": definition: FOREIGN KEY (lob_id, planning_attribute_id) REFERENCES tc.cycle_report_planning_attributes(lob_id, id) → FOREIGN KEY (lob_id, id) REFERENCES tc.cycle_report_planning_attributes(lob_id, id)",
        "constraint "cycle_report_scoping_attributes_attribute_fkey" of table "tc"."cycle_report_scoping_attributes": columns: ["lob_id","planning_attribute_id"] → ["lob_id","id"]",
        "constraint "cycle_report_scoping_attributes_attribute_key" of table "tc"."cycle_report_scoping_attributes": definition: UNIQUE (lob_id, planning_attribute_id) → UNIQUE (lob_id, id)",
        "constraint "cycle_report_scoping_attributes_attribute_key" of table "tc"."cycle_report_scoping_attributes": columns: ["lob_id","planning_attribute_id"] → ["lob_id","id"]",
        "constraint "cycle_report_scoping_attributes_pkey" of table "tc"."cycle_report_scoping_attributes": definition: PRIMARY KEY (attribute_id) → PRIMARY KEY (id)",
        "constraint "cycle_report_scoping_attributes_pkey" of table "tc"."cycle_report_scoping_attributes": columns: ["attribute_id"] → ["id"]",
        "constraint "cycle_reports_pkey" of table "tc"."cycle_reports": definition: PRIMARY KEY (cycle_id, report_id) → PRIMARY KEY (id)",
        "constraint "cycle_reports_pkey" of table "tc"."cycle_reports": columns: ["cycle_id","report_id"] → ["id"]",
        "constraint "test_executions_planning_attribute_id_fkey" of table "tc"."test_executions": definition: FOREIGN KEY (lob_id, planning_attribute_id) REFERENCES tc.cycle_report_scoping_attributes(lob_id, planning_attribute_id) → FOREIGN KEY (lob_id, planning_attribute_id) REFERENCES tc.cycle_report_scoping_attributes(lob_id, id)",
        "constraint "test_executions_planning_attribute_id_fkey" of table "tc"."test_executions": references columns: ["lob_id","planning_attribute_id"] → ["lob_id","id"]",
        "constraint "uq_cycle_report" of table "tc"."cycle_reports": not there → UNIQUE (cycle_id, report_id)",
      ]
    `);
  });

  it("give out the same keys, by a sequence and by chance", () => {
    const having = (catalog: Canonical, aspect: string, value: string) =>
      Object.entries(catalog)
        .filter(([path, { aspects }]) => path.startsWith("column ") && aspects[aspect] === value)
        .map(([path]) => path);
    const sequenced = having(before, "identity", "always");
    const random = having(after, "default", "gen_random_uuid()");
    expect(having(after, "identity", "always")).toEqual([]);
    expect(sequenced.filter((path) => !random.includes(path))).toEqual([
      'column "attribute_id" of table "tc"."cycle_report_scoping_attributes"',
    ]);
    expect(random.filter((path) => !sequenced.includes(path))).toEqual([
      'column "id" of table "tc"."cycle_reports"',
    ]);
  });

  it("have an index for each foreign key, in its order, and no index that another makes needless", () => {
    for (const catalog of [before, after]) {
      const indexes = paths(catalog, "index").map((path) => indexOf(path, catalog[path]));
      const foreign = paths(catalog, "constraint").filter((path) =>
        catalog[path]?.aspects["definition"]?.startsWith("FOREIGN KEY"),
      );
      expect(foreign).toHaveLength(46);
      for (const path of foreign) {
        const key = JSON.parse(catalog[path]?.aspects["columns"] ?? "[]") as string[];
        const of = indexes.filter(({ table }) => table === catalog[path]?.within);
        expect(
          of.some(({ columns, whole }) => whole && leads(columns, key)),
          path,
        ).toBe(true);
      }
      const needless = indexes.filter(
        (index) =>
          !index.unique &&
          index.whole &&
          indexes.some(
            (other) =>
              other !== index &&
              other.table === index.table &&
              other.whole &&
              leads(other.columns, index.columns),
          ),
      );
      expect(needless).toEqual([]);
    }
  });
});

function leads(columns: readonly string[], key: readonly string[]): boolean {
  return key.every((column, at) => columns[at] === column);
}

function indexOf(path: string, entry: Canonical[string] | undefined) {
  const { definition = "", ...aspects } = entry?.aspects ?? {};
  const columns = Object.keys(aspects).filter((aspect) => /^keys\.\d+\.definition$/.test(aspect));
  expect(columns.length, path).toBeGreaterThan(0);
  return {
    path,
    table: entry?.within ?? null,
    unique: definition.startsWith("CREATE UNIQUE"),
    whole: !definition.includes(" WHERE "),
    columns: columns.sort().map((aspect) => aspects[aspect] ?? ""),
  };
}

/** Without what the type of a key entails: its sequence or default, the place of its column, the names of types, and how a context is parsed. */
function asUuid(catalog: Canonical): Canonical {
  const renamed = (text: string) =>
    text.replaceAll(/\binteger\b/g, "uuid").replaceAll(/\bint4_ops\b/g, "uuid_ops");
  return Object.fromEntries(
    Object.entries(catalog)
      .filter(([path]) => !/^(?:sequence|index|function "tc"."current_)/.test(path))
      .map(([path, { within, aspects }]) => [
        renamed(path),
        {
          within: within === null ? null : renamed(within),
          aspects: Object.fromEntries(
            Object.entries(aspects)
              .filter(
                ([aspect, value]) =>
                  aspect !== "position" && aspect !== "identity" && value !== "gen_random_uuid()",
              )
              .map(([aspect, value]) => [aspect, renamed(value)]),
          ),
        },
      ]),
  );
}
