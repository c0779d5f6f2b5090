import type { AccessData } from "../../definition/access.ts";
import type { Definition } from "../../definition/definition.ts";
import type { Queryable } from "../../executor/executor.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { askerOf, type Identity } from "./asker.ts";
import { oneOf, type ContextName, type PlannedCell } from "./cell.ts";
import { classOf, isGranted, listed, reaches, type Known } from "./expected.ts";
import { chooseIdentities, type Identities } from "./identities.ts";
import { partsOf, type ProofModel, type ProvenTable } from "./model.ts";
import {
  accessFunctions,
  declaredPolicies,
  functionPosture,
  OWNER,
  partitionPosture,
  rolePosture,
  tablePosture,
} from "./posture.ts";
import { reachableCell } from "./reachable.ts";
import { ask, type Asker } from "./runner.ts";
import { sideChannels } from "./side-channels.ts";
import { changedKeys, removeRow, selectKeys, updateAll } from "./statements.ts";
import { ALL_COMMANDS, brieflyCells, contextCells, tableCells } from "./table-cells.ts";
import { viewCell, viewTruth, type ViewSources } from "./view-cells.ts";
import { insertion, rowsOf, type World } from "./world.ts";

/** All cells, in the order in which they have to be asked. */
export interface CellPlan {
  readonly cells: readonly PlannedCell[];
  readonly askers: readonly Asker[];
  readonly tables: readonly ProvenTable[];
}

/** A role that owns a table for the time of one question, and nothing else. */
const STAND_IN = "underpin_proof_owner";

/** Works out everything that is tried, and what has to come of it. */
export async function planCells(db: Queryable, model: ProofModel, world: World): Promise<CellPlan> {
  const askers: Asker[] = [
    { role: null, settings: [] },
    { role: STAND_IN, settings: [] },
  ];
  const add = (asker: Asker) => askers.push(asker) - 1;
  const horizon = await horizonOf(db, model, world);
  await db.query(
    [
      `CREATE ROLE ${ident(STAND_IN)} NOLOGIN`,
      ...model.schemas.map(
        (schema) => `GRANT USAGE ON SCHEMA ${ident(schema)} TO ${ident(STAND_IN)}`,
      ),
    ].join(";\n"),
  );
  const declared = await ask(db, model.tables.map(declaredPolicies), askers);
  const catalog = [
    ...model.tables.map((table, at) => tablePosture(model, table, declared[at] ?? "ok ")),
    ...model.tables.filter(({ isPartitioned }) => isPartitioned).map(partitionPosture),
    ...model.definition.access.flatMap((access) => [
      ...accessFunctions(access).map(({ name, owner }) => functionPosture(access, name, owner)),
      rolePosture(access),
    ]),
    reachableCell(model),
  ];
  const cells: PlannedCell[] = [];
  // Before anything sets the context in this session.
  const missing = model.definition.access.flatMap((access) =>
    withoutContext(model, world, access, horizon, add, "missing"),
  );
  const answered = await ask(
    db,
    missing.map(({ question }) => question),
    askers,
  );
  cells.push(...missing.map((cell, at) => answeredBefore(cell, answered[at] ?? "")));
  const guards = await guardsOf(db, model);
  for (const access of model.definition.access) {
    const identities = await chooseIdentities(db, model, world, access);
    cells.push(
      ...(["empty", "malformed"] as const).flatMap((context) =>
        withoutContext(model, world, access, horizon, add, context),
      ),
    );
    for (const persona of Object.keys(access.roles))
      cells.push(
        ...(await personaCells({
          db,
          model,
          world,
          access,
          persona,
          identities,
          horizon,
          add,
          guards,
          askers,
        })),
      );
    cells.push(...controlCells(model, world, access, horizon, add));
  }
  return {
    cells: [...cells, ...ownerCells(model, world), ...catalog],
    askers,
    tables: model.tables,
  };
}

/** A cell whose question cannot be asked again as it was: the answer is the one that was given then. */
function answeredBefore(cell: PlannedCell, answer: string): PlannedCell {
  const fault = cell.judge(answer);
  return {
    ...cell,
    judge: (again) => fault ?? cell.judge(again),
  };
}

interface PersonaSources {
  readonly db: Queryable;
  readonly model: ProofModel;
  readonly world: World;
  readonly access: AccessData;
  readonly persona: string;
  readonly identities: Identities;
  readonly horizon: number;
  readonly add: (asker: Asker) => number;
  readonly askers: readonly Asker[];
  readonly guards: ReadonlySet<string>;
}

async function personaCells(sources: PersonaSources): Promise<readonly PlannedCell[]> {
  const { db, model, world, access, persona, identities, horizon, add, askers, guards } = sources;
  const cells: PlannedCell[] = [];
  const users = identities.of(persona, 0);
  const base = { world, access, horizon };
  const at = (known: Known) => add(askerOf(access, known));
  for (const [rank, known] of users.entries()) {
    const as = at(known);
    for (const table of model.tables) {
      // Of a second user only where the first has nothing to see.
      if (rank > 0 && !adds(world, access, table, known, users.slice(0, rank))) continue;
      cells.push(...tableCells({ ...base, table, known, as, context: "right" }));
      if (rank === 0) cells.push(...sideChannels({ model, world, access, known, as }, table));
    }
  }
  const [first] = users;
  const [second] = identities.of(persona, 1);
  if (first === undefined) return cells;
  const firstAs = at(first);
  if (second !== undefined) {
    const secondAs = at(second);
    for (const table of model.tables) {
      if (!isGranted(table, access, persona, "select")) continue;
      const [plain] = brieflyCells({
        ...base,
        table,
        known: second,
        as: secondAs,
        context: "switched",
      });
      if (plain !== undefined)
        cells.push({
          ...plain,
          question: { ...plain.question, kind: "switch", first: firstAs },
        });
    }
  }
  for (const stranger of identities.strangers(persona)) {
    const as = at(stranger);
    for (const table of model.tables)
      if (table.access?.schema === access.schema)
        cells.push(
          ...brieflyCells({ ...base, table, known: stranger, as, context: "other tenant" }),
        );
  }
  cells.push(...withoutUser(sources, first));
  const views: ViewSources = {
    model,
    world,
    access,
    known: first,
    as: firstAs,
    guards,
    truth: add({ role: null, settings: askerOf(access, first).settings }),
  };
  const truths = await ask(
    db,
    model.views.map((view) => viewTruth(views, view)),
    askers,
  );
  return [
    ...cells,
    ...model.views.map((view, index) => viewCell(views, view, truths[index] ?? "")),
  ];
}

/** Whether a user reaches something of a table for a command for which those before do not. */
function adds(
  world: World,
  access: AccessData,
  table: ProvenTable,
  known: Known,
  before: readonly Known[],
): boolean {
  return ALL_COMMANDS.some((command) => {
    const rowClass = classOf(table, access, known.persona, command);
    const count = (each: Known) =>
      rowsOf(world, table).filter((row) => reaches(table, rowClass, each, row)).length;
    return (
      rowClass.kind !== "none" && count(known) > 0 && before.every((each) => count(each) === 0)
    );
  });
}

/** A tenant without a user: what is the tenant's is shown, what is somebody's own is refused. */
function withoutUser(sources: PersonaSources, { persona, tenant }: Known): readonly PlannedCell[] {
  const { model, world, access, add } = sources;
  const identity: Identity = { persona, tenant, user: null };
  const as = add(askerOf(access, identity));
  return model.tables.flatMap((table): PlannedCell[] => {
    const rowClass = classOf(table, access, persona, "select");
    const parts = partsOf(rowClass);
    const isPersonal = parts.every(({ kind }) => kind === "own" || kind === "among");
    if (rowClass.kind === "none" || !isPersonal) return [];
    // A lookup that asks for nobody is a matter of its query.
    if (!parts.every(({ kind }) => kind === "own")) return [];
    const right = access.target === "citus" ? ["ok "] : ["refused rls_context_…"];
    return rowsOf(world, table).length === 0
      ? []
      : [
          {
            persona,
            object: table.path,
            command: "select",
            context: "no user",
            question: { sql: selectKeys(table), as, kind: "rows" },
            expected: "refused, by the context",
            judge: oneOf(...right),
            denies: true,
          },
        ];
  });
}

function withoutContext(
  model: ProofModel,
  world: World,
  access: AccessData,
  horizon: number,
  add: (asker: Asker) => number,
  context: ContextName,
): readonly PlannedCell[] {
  const malformed = context === "malformed" ? "no id" : null;
  if (malformed !== null && access.tenant.type === "text") return [];
  return Object.keys(access.roles).flatMap((persona) => {
    const identity: Identity = { persona, tenant: malformed, user: malformed };
    const asker = askerOf(access, identity);
    const as = add(context === "missing" ? { ...asker, settings: [] } : asker);
    const known: Known = { ...identity, lookups: new Map(), custom: new Map(), without: new Map() };
    return model.tables
      .filter((table) => table.access?.schema === access.schema && rowsOf(world, table).length > 0)
      .flatMap((table) =>
        contextCells(
          { world, access, table, known, as, horizon, context },
          context === "missing" ? ALL_COMMANDS : ["select"],
        ),
      );
  });
}

/** The same statements as who may do them: what is refused to others is possible. */
function controlCells(
  model: ProofModel,
  world: World,
  access: AccessData,
  horizon: number,
  add: (asker: Asker) => number,
): readonly PlannedCell[] {
  const as = add({ role: access.migratorRole, settings: [] });
  return model.tables
    .filter((table) => table.access?.schema === access.schema)
    .flatMap((table): PlannedCell[] => {
      const rows = rowsOf(world, table);
      const [first] = rows;
      const all = listed(rows.map(({ key }) => key));
      const common = {
        persona: "control",
        object: table.path,
        context: "any",
        denies: false,
      } as const;
      if (first === undefined) return [];
      return [
        {
          ...common,
          command: "select",
          expected: "all rows",
          judge: oneOf(all),
          question: { sql: selectKeys(table), as, kind: "rows" },
        },
        {
          ...common,
          command: "insert",
          expected: "inserted",
          judge: oneOf("ok 1"),
          question: {
            sql: insertion(table, [first.values]),
            as,
            kind: "count",
            before: removeRow(table, first),
          },
        },
        ...(table.touch === null
          ? []
          : [
              {
                ...common,
                command: "update",
                expected: "all rows",
                judge: oneOf(all),
                question: {
                  sql: updateAll(table, table.touch, first.values[table.touch] ?? null),
                  as,
                  kind: "count" as const,
                  after: changedKeys(table, horizon),
                },
              },
            ]),
        {
          ...common,
          command: "delete",
          expected: "all rows",
          judge: oneOf("ok "),
          question: {
            sql: `DELETE FROM ${table.sql}`,
            as,
            kind: "count",
            after: selectKeys(table),
          },
        },
        {
          ...common,
          command: "truncate",
          expected: "done",
          judge: oneOf("ok…"),
          question: { sql: `TRUNCATE ${table.sql} CASCADE`, as: OWNER, kind: "count" },
        },
      ];
    });
}

/** An owner that no policy names sees nothing; and changes nothing of what is append-only, with its triggers awake. */
function ownerCells(model: ProofModel, world: World): readonly PlannedCell[] {
  return model.tables
    .filter(({ rules }) => rules !== null)
    .flatMap((table): PlannedCell[] => {
      const common = {
        persona: "owner",
        object: table.path,
        context: "any",
        denies: true,
      } as const;
      const [first] = rowsOf(world, table);
      const column = table.touch ?? table.keyColumns[0] ?? "";
      const statements: readonly (readonly [string, string])[] = [
        ["update", updateAll(table, column, first?.values[column] ?? null)],
        ["delete", `DELETE FROM ${table.sql}`],
        ["truncate", `TRUNCATE ${table.sql} CASCADE`],
      ];
      return [
        {
          ...common,
          command: "select",
          expected: "no row",
          judge: oneOf("ok "),
          question: {
            sql: selectKeys(table),
            as: 1,
            kind: "rows",
            before: `ALTER TABLE ${table.sql} OWNER TO ${ident(STAND_IN)}`,
          },
        },
        ...(table.rules?.appendOnly === true
          ? statements.map(([command, sql]) => ({
              ...common,
              command,
              expected: "refused append_only",
              judge: oneOf("refused append_only"),
              question: { sql, as: OWNER, kind: "count" as const, live: true },
            }))
          : []),
      ];
    });
}

/** Rows that are written later have an xmin that is younger. */
async function horizonOf(db: Queryable, model: ProofModel, world: World): Promise<number> {
  const texts = model.tables
    .filter((table) => rowsOf(world, table).length > 0)
    .map(({ sql }) => `SELECT pg_catalog.min(pg_catalog.age(xmin)) AS age FROM ${sql}`);
  if (texts.length === 0) return 0;
  const [row] = await db.query<{ age: number }>(
    `SELECT pg_catalog.min(age) AS age FROM (${texts.join(" UNION ALL ")}) AS q`,
  );
  return row?.age ?? 0;
}

/** Views that read a materialized view, themselves or through another view. */
async function guardsOf(db: Queryable, model: ProofModel): Promise<ReadonlySet<string>> {
  if (!model.views.some(({ kind }) => kind === "materialized view")) return new Set();
  const rows = await db.query<{ schema: string; name: string }>(
    `WITH RECURSIVE reads (reader, read) AS (
       SELECT r.ev_class, d.refobjid FROM pg_catalog.pg_rewrite AS r
       JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
         AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> r.ev_class
       WHERE r.oid >= 16384
     ), deep (reader, read) AS (
       SELECT reader, read FROM reads UNION SELECT d.reader, r.read FROM deep AS d JOIN reads AS r ON r.reader = d.read
     )
     SELECT DISTINCT n.nspname AS schema, v.relname AS name FROM deep AS d
     JOIN pg_catalog.pg_class AS m ON m.oid = d.read AND m.relkind = 'm'
     JOIN pg_catalog.pg_class AS v ON v.oid = d.reader AND v.relkind = 'v'
     JOIN pg_catalog.pg_namespace AS n ON n.oid = v.relnamespace`,
  );
  return new Set(rows.map(({ schema, name }) => qualified(schema, name)));
}

/** The context functions, in a transaction that sets nothing after one that did. */
export function leftoverCells(definition: Definition): {
  readonly cells: readonly PlannedCell[];
  readonly askers: readonly Asker[];
} {
  const askers: Asker[] = [];
  const cells = definition.access
    .filter(({ target }) => target !== "citus")
    .flatMap((access) =>
      Object.entries(access.roles).flatMap(([persona, role]) => {
        const as = askers.push({ role, settings: [] }) - 1;
        return accessFunctions(access)
          .filter(({ owner }) => owner === null)
          .map(({ name }): PlannedCell => {
            const called = `${qualified(access.schema, name)}()`;
            return {
              persona,
              object: `function ${called}`,
              command: "call",
              context: "leftover",
              question: { sql: `SELECT ${called}::text`, as, kind: "rows" },
              expected: "refused, by the context",
              judge: oneOf("refused rls_context_…"),
              denies: true,
            };
          });
      }),
    );
  return { cells, askers };
}
