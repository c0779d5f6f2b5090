import type { PgTable } from "drizzle-orm/pg-core";
import { definitionOf } from "../../definition/definition-of.ts";
import type { Definition } from "../../definition/definition.ts";
import { readerWrites } from "../../rls/reader-writes.ts";
import { namespaceOf } from "../namespace.ts";
import { accessOf, withLookups } from "./access.ts";
import { pointsTo, type Basis } from "./basis.ts";
import { commentsOf } from "./comments.ts";
import { enumsOf } from "./enums.ts";
import { functionsOf } from "./functions.ts";
import { keysOf, type KeyKind } from "./keys.ts";
import { seedsOf } from "./seeds.ts";
import { planningTable, scopingTable } from "./tables/attributes.ts";
import { cycleReportTable } from "./tables/cycle-reports.ts";
import { cycleTables } from "./tables/cycles.ts";
import { evidenceTables } from "./tables/evidence.ts";
import { logTables } from "./tables/logs.ts";
import { peopleTables } from "./tables/people.ts";
import { phaseTables } from "./tables/phases.ts";
import { rightsTables } from "./tables/rights.ts";
import { testingTables } from "./tables/testing.ts";
import { triggersOf } from "./triggers.ts";
import { viewsOf } from "./views.ts";

/** How the domain is bound to a host. */
export interface TestCyclesOptions<K extends KeyKind = "uuid", S extends string = "test_cycles"> {
  /** What its keys are: `integer` is the form that databases of before have. @default "uuid" */
  readonly keys?: K;
  /** @default "test_cycles" */
  readonly schema?: S;
  /** What role names begin with. @default the schema */
  readonly rolePrefix?: string;
  /** @default "underpin_migrator" */
  readonly migratorRole?: string;
  /** @default "postgres" */
  readonly target?: "postgres" | "supabase" | "citus";
}

/** The domain: its tables, enums, view and schema as Drizzle values, its access, and its definition. */
export type TestCycles<
  K extends KeyKind = "uuid",
  S extends string = "test_cycles",
> = FormByKind<S>[K] & {
  readonly access: ReturnType<typeof withLookups>;
  readonly definition: Definition;
};

/**
 * Testing of reports in cycles: who tests what, phase by phase, and what was found.
 *
 * Both forms have the same tables, columns, constraints and functions but for the type of their keys; the one with uuids gives
 * `cycle_reports` an `id`, and `cycle_report_scoping_attributes` one key in place of two.
 *
 * @example
 * import { testCycles } from "underpin/schema/test-cycles";
 *
 * const before = testCycles({ keys: "integer", schema: "testing" });
 * const after = testCycles({ keys: "uuid", schema: "testing" });
 * before.users.userId.getSQLType(); // "integer"
 * after.users.userId.getSQLType(); // "uuid"
 */
export function testCycles<K extends KeyKind = "uuid", const S extends string = "test_cycles">(
  options: TestCyclesOptions<K, S> = {},
): TestCycles<K, S> {
  const kind = options.keys ?? ("uuid" as K);
  const schema = options.schema ?? ("test_cycles" as S);
  const access = accessOf({ ...options, schema, keys: kind });
  const values = FORMS[kind](schema, access) as unknown as FormByKind<S>[K];
  const whole = withLookups(access, values);
  const functions = functionsOf(schema, kind, whole);
  return {
    ...values,
    access: whole,
    definition: definitionOf({
      // Two of them may live in one database, in two schemas.
      name: schema === "public" ? "test_cycles" : schema,
      tables: values,
      access: whole,
      objects: [
        ...Object.values(functions),
        ...readerWrites(whole, { schema, name: "audit_logs" }, ["insert"]),
        ...triggersOf(schema, functions),
        ...commentsOf(schema, kind),
      ],
      seeds: seedsOf(schema, values),
      requires: { server: 15 },
    }),
  };
}

/** Both forms, each with types of its own: declarations that leave the kind open are no valid TypeScript (TS2536). */
interface FormByKind<S extends string> {
  readonly integer: ReturnType<typeof FORMS.integer<S>>;
  readonly uuid: ReturnType<typeof FORMS.uuid<S>>;
}

const FORMS = {
  integer: <S extends string>(schema: S, access: ReturnType<typeof accessOf>) =>
    valuesOf("integer", schema, access),
  uuid: <S extends string>(schema: S, access: ReturnType<typeof accessOf>) =>
    valuesOf("uuid", schema, access),
};

function valuesOf<K extends KeyKind, S extends string>(
  kind: K,
  schema: S,
  access: ReturnType<typeof accessOf>,
) {
  const space = namespaceOf(schema);
  const enums = enumsOf(space);
  const made: PgTable[] = [];
  const basis: Basis<K, S> = {
    keys: keysOf(kind),
    space,
    enums,
    access,
    points: pointsTo(() => made),
  };
  const tables = {
    ...peopleTables(basis),
    ...rightsTables(basis),
    ...cycleTables(basis),
    ...cycleReportTable(basis),
    ...phaseTables(basis),
    ...planningTable(basis),
    ...scopingTable(basis),
    ...testingTables(basis),
    ...evidenceTables(basis),
    ...logTables(basis),
  };
  made.push(...(Object.values(tables) as PgTable[]));
  return { testCyclesSchema: space, ...enums, ...tables, ...viewsOf(basis) };
}
