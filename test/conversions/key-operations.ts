// Long because: what a worker does is one list, and every entry of it reads and writes the same model.
import { setTimeout as sleep } from "node:timers/promises";
import { and, eq, sql as drizzleSql } from "drizzle-orm";
import { ident, literal, qualified } from "../../src/sql/quote.ts";
import { keyNameOf, PLACES, type Key, type Kind, type RowTable } from "./application-tables.ts";
import { MARK, type ModelRow } from "./key-model.ts";
import type { Worker } from "./key-application.ts";

/** Something that a worker does, as often as its weight says. */
export interface Operation {
  readonly name: string;
  readonly weight: number;
  readonly run: (worker: Worker) => Promise<unknown>;
}

const KINDS = ["users", "samples", "executions", "observations"] as const satisfies readonly Kind[];
type Written = (typeof KINDS)[number];

/** What a prepared plan whose result has changed says, and what the retry of a driver meets in a transaction that it broke. */
const CHANGED_RESULT = ["0A000", "25P02"];
/** What a snapshot that is older than another's write says, in any application. */
const OLD_SNAPSHOT = ["40001"];

/** What a worker of either version does; statements are prepared once and used again and again. */
export function newOperations(worker: Worker): readonly Operation[] {
  const prepared = new Map(KINDS.map((kind) => [kind, prepare(worker, kind)]));
  const on = (run: (kind: Written, statements: Prepared) => Promise<unknown>) => () => {
    const kind = anyOf(worker, KINDS) ?? "users";
    const statements = prepared.get(kind);
    if (statements === undefined) throw new Error(`${kind} is not prepared`);
    return run(kind, statements);
  };
  const onRow = (
    run: (row: ModelRow, key: Key, statements: Prepared) => Promise<unknown>,
    fits: (row: ModelRow) => boolean = () => true,
  ) =>
    on(async (kind, statements) => {
      const rows = [...worker.own.values()].filter((row) => row.kind === kind && fits(row));
      const row = anyOf(worker, rows);
      if (row !== undefined) await run(row, await keyOf(worker, row.kind, row.marker), statements);
    });
  return [
    { name: "insert", weight: 10, run: on((kind, statements) => insert(worker, kind, statements)) },
    {
      name: "read",
      weight: 12,
      run: onRow(async (row, key, { byId }) => {
        const [found, ...more] = await worker.attempt("read by key", () =>
          byId.execute({ id: key }),
        );
        mustBe(row, found, more.length);
      }),
    },
    {
      name: "update",
      weight: 8,
      run: onRow(async (row, key, { setValue }) => {
        const value = `${row.value.slice(0, 40)}+`.replace(/\+{9,}$/, "");
        await worker.attempt("update by key", () => setValue.execute({ id: key, value }));
        row.value = value;
      }),
    },
    {
      name: "upsert",
      weight: 4,
      run: onRow((row, key) => upsert(worker, row, key)),
    },
    { name: "move", weight: 4, run: onRow((row, key) => move(worker, row, key)) },
    {
      name: "delete",
      weight: 4,
      run: onRow(
        async (row, key, { remove: statement }) => {
          await worker.attempt("delete by key", () => statement.execute({ id: key }));
          const above = row.parent === null ? undefined : worker.own.get(row.parent);
          if (above !== undefined) above.children -= 1;
          worker.own.delete(row.marker);
          worker.model.rows.delete(row.marker);
        },
        ({ children, anchor }) => children === 0 && !anchor,
      ),
    },
    { name: "join", weight: 4, run: onRow((row, key) => readWithParent(worker, row, key)) },
    { name: "select star", weight: 3, run: onRow((row, key) => selectStar(worker, row, key)) },
    {
      name: "repeatable read",
      weight: 2,
      run: onRow((row, key) => inOneSnapshot(worker, row, key)),
    },
    { name: "cycle", weight: 2, run: () => cycle(worker) },
    { name: "lob", weight: 1, run: () => lineOfBusiness(worker) },
  ];
}

type Prepared = ReturnType<typeof prepare>;

function prepare({ db, tables }: Worker, kind: Kind) {
  const table: RowTable = tables.rows[kind];
  const { id, marker, value, parent } = table;
  const given = eq(id, drizzleSql.placeholder("id"));
  return {
    byId: db.select({ id, marker, value, parent }).from(table).where(given).prepare("by_id"),
    setValue: db
      .update(table)
      .set({ value: drizzleSql`${drizzleSql.placeholder("value")}` })
      .where(given)
      .prepare("set_value"),
    remove: db.delete(table).where(given).prepare("remove"),
  };
}

async function insert(worker: Worker, kind: Written, _: Prepared): Promise<void> {
  const { db, model, own, keys, version } = worker;
  const parent = await parentFor(worker, kind);
  const marker = worker.marker();
  const row: ModelRow = {
    ...{ kind, marker, value: "v", parent, children: 0 },
    anchor: worker.random() < 0.1,
  };
  const values = {
    ...(await valuesOf(worker, row)),
    ...(version === "new" ? { id: worker.ownKey() } : {}),
  };
  const table: RowTable = worker.tables.rows[kind];
  const [made] = await worker.attempt("insert", () =>
    db.insert(table).values(values).returning({ id: table.id }),
  );
  const key = made?.id;
  if (key === undefined || key === null) throw new Error(`${marker} was given no key`);
  model.rows.set(marker, row);
  own.set(marker, row);
  keys.set(marker, key);
  const above = parent === null ? undefined : own.get(parent);
  if (above !== undefined) above.children += 1;
}

/** As a version that sends whole rows does: the row is there already, and the key decides. */
async function upsert(worker: Worker, row: ModelRow, key: Key): Promise<void> {
  const table: RowTable = worker.tables.rows[row.kind];
  const value = row.value.endsWith("!") ? row.value.slice(0, -1) : `${row.value}!`;
  const values = { ...(await valuesOf(worker, row)), id: key, value };
  await worker.attempt("upsert by key", () =>
    worker.db
      .insert(table)
      .overridingSystemValue()
      .values(values)
      .onConflictDoUpdate({ target: table.id, set: { value } }),
  );
  row.value = value;
}

/** Another parent. */
async function move(worker: Worker, row: ModelRow, key: Key): Promise<void> {
  const parent = await parentFor(worker, row.kind as Written);
  if (parent === row.marker || (parent !== null && isBelow(worker, parent, row.marker))) return;
  const table: RowTable = worker.tables.rows[row.kind];
  const parentKey =
    parent === null ? null : await keyOf(worker, PLACES[row.kind].parentKind, parent);
  await worker.attempt("move by key", () =>
    worker.db.update(table).set({ parent: parentKey }).where(eq(table.id, key)),
  );
  const was = row.parent === null ? undefined : worker.own.get(row.parent);
  if (was !== undefined) was.children -= 1;
  row.parent = parent;
  const is = parent === null ? undefined : worker.own.get(parent);
  if (is !== undefined) is.children += 1;
}

async function readWithParent(worker: Worker, row: ModelRow, key: Key): Promise<void> {
  if (row.parent === null) return;
  const { rows } = worker.tables;
  const table: RowTable = rows[row.kind];
  const above = PLACES[row.kind].parentKind;
  const [found] = await worker.attempt("join by keys", () =>
    worker.sql.unsafe<{ marker: string }[]>(
      `SELECT p.${ident(PLACES[above].marker)} AS marker
       FROM ${qualified(worker.schema, PLACES[row.kind].table)} AS t
       JOIN ${qualified(worker.schema, PLACES[above].table)} AS p
         ON p.${ident(rows[above].lob.name)} = t.${ident(table.lob.name)}
         AND p.${ident(rows[above].id.name)} = t.${ident(table.parent.name)}
       WHERE t.${ident(table.id.name)} = $1`,
      [key],
      { prepare: true },
    ),
  );
  if (found?.marker !== row.parent)
    throw new Error(`${row.marker} is joined to ${found?.marker}, not to ${row.parent}`);
}

/** What breaks for clients: the result of a prepared `SELECT *` changes with the columns. Drivers try it again, but not in a transaction. */
async function selectStar(worker: Worker, row: ModelRow, key: Key): Promise<void> {
  const text = `SELECT * FROM ${qualified(worker.schema, PLACES[row.kind].table)}
    WHERE ${ident(worker.tables.rows[row.kind].id.name)} = $1`;
  const marker = PLACES[row.kind].marker;
  const whole = async (on: Pick<Worker["sql"], "unsafe">) =>
    on.unsafe<Record<string, unknown>[]>(text, [key], { prepare: true });
  const [found] = await worker.attempt("SELECT *, prepared", () => whole(worker.sql));
  if (found?.[marker] !== row.marker) throw new Error(`${row.marker} was not found with SELECT *`);
  await worker.attempt(
    "SELECT *, prepared, in a transaction",
    () => worker.sql.begin((transaction) => whole(transaction)),
    CHANGED_RESULT,
  );
}

/** Reads, waits, and writes a child: its snapshot is older than what others write meanwhile. */
async function inOneSnapshot(worker: Worker, row: ModelRow, key: Key): Promise<void> {
  if (row.kind !== "samples" || row.parent === null) return;
  const { tables, version } = worker;
  const marker = worker.marker();
  const child: ModelRow = {
    ...{ kind: "executions", marker, value: "snapshot", parent: row.marker },
    ...{ children: 0, anchor: false },
  };
  const rest = worker.random() * 40;
  const executions: RowTable = tables.rows.executions;
  const key7 = version === "new" ? { id: worker.ownKey() } : {};
  const values = { ...(await valuesOf(worker, child)), ...key7 };
  const made = await worker.attempt(
    "child in one snapshot",
    () =>
      worker.db.transaction(
        async (transaction) => {
          const samples: RowTable = tables.rows.samples;
          await transaction.select({ id: samples.id }).from(samples).where(eq(samples.id, key));
          await sleep(rest);
          return transaction.insert(executions).values(values).returning({ id: executions.id });
        },
        { isolationLevel: "repeatable read" },
      ),
    OLD_SNAPSHOT,
  );
  const given = made[0]?.id;
  if (given === undefined || given === null) throw new Error(`${marker} was given no key`);
  worker.model.rows.set(marker, child);
  worker.own.set(marker, child);
  worker.keys.set(marker, given);
  row.children += 1;
}

/** A cycle that names its present report before that report is one of the cycle: a deferred foreign key of three columns. */
async function cycle(worker: Worker): Promise<void> {
  const { db, tables, version, model } = worker;
  const { cycles, cycleReports } = tables;
  const marker = worker.marker();
  const [lob, report] = [await lobOf(worker), await reportOf(worker)];
  const given = version === "new" ? { id: worker.ownKey() } : {};
  await worker.attempt("a cycle and its report", () =>
    db.transaction(async (transaction) => {
      const [made] = await transaction
        .insert(cycles)
        .values({ ...given, lob, name: marker, startDate: "2026-01-01", currentReport: report })
        .returning({ id: cycles.id });
      await transaction.insert(cycleReports).values({ lob, cycle: made?.id ?? null, report });
    }),
  );
  model.circles.set(marker, { of: "cycle", marker, points: worker.report });
  if (worker.random() < 0.5) return;
  await worker.attempt("a cycle is taken away", () =>
    db.transaction(async (transaction) => {
      const [found] = await transaction
        .select({ id: cycles.id })
        .from(cycles)
        .where(and(eq(cycles.lob, lob), eq(cycles.name, marker)));
      const id = found?.id ?? 0;
      await transaction
        .delete(cycleReports)
        .where(and(eq(cycleReports.cycle, id), eq(cycleReports.report, report)));
      await transaction.delete(cycles).where(eq(cycles.id, id));
    }),
  );
  model.circles.delete(marker);
}

/** A line of business that names its owner, who is written after it: the key of the owner is taken before there is a row. */
async function lineOfBusiness(worker: Worker): Promise<void> {
  const { db, tables, version, model, schema } = worker;
  const marker = worker.marker();
  const users: RowTable = tables.rows.users;
  const owner = `owner-${marker}`;
  await worker.attempt("a line of business and its owner", () =>
    db.transaction(async (transaction) => {
      const [next] =
        version === "new"
          ? [{ key: worker.ownKey() }]
          : await transaction.execute<{ key: number }>(
              drizzleSql`select nextval(pg_get_serial_sequence(${qualified(schema, "users")}, 'user_id'))::int as key`,
            );
      const key = next?.key ?? 0;
      const [made] = await transaction
        .insert(tables.lobs)
        .values({
          ...(version === "new" ? { id: worker.ownKey() } : {}),
          ...{ code: marker.slice(0, -MARK.length), name: marker, owner: key },
        })
        .returning({ id: tables.lobs.id });
      const values = { lob: made?.id, marker: owner, value: "owner", firstName: "f", id: key };
      await transaction.insert(users).overridingSystemValue().values(values);
    }),
  );
  model.circles.set(marker, { of: "lob", marker, points: owner });
  model.rows.set(owner, {
    ...{ kind: "users", marker: owner, value: "owner", parent: null },
    ...{ children: 0, anchor: true },
  });
}

/** What an insert of a row says beside its key. */
async function valuesOf(worker: Worker, { kind, marker, value, parent }: ModelRow) {
  const common = {
    ...{ marker, value, lob: await lobOf(worker) },
    parent: parent === null ? null : await keyOf(worker, PLACES[kind].parentKind, parent),
  };
  const phase = await keyOf(worker, "phases", "phase-1");
  const more: Partial<Record<Kind, object>> = {
    users: { firstName: "f" },
    executions: {
      phase,
      attribute: await keyOf(worker, "attributes", "balance"),
      attempt: 2 + Math.floor(worker.random() * 2 ** 30),
    },
    observations: { phase },
  };
  return { ...common, ...more[kind] };
}

/** A row that another of this kind may refer to: one of one's own or one that stays, or none where that may be. */
async function parentFor(worker: Worker, kind: Written): Promise<string | null> {
  const above = PLACES[kind].parentKind;
  if (above === "phases") return `phase-${1 + Math.floor(worker.random() * 3)}`;
  const mayBeNone = above === kind;
  if (mayBeNone && worker.random() < 0.4) return null;
  const own = [...worker.own.values()].filter((row) => row.kind === above);
  const anchors = [...worker.model.rows.values()].filter(
    (row) => row.kind === above && row.anchor && !row.marker.startsWith("owner-"),
  );
  const chosen = anyOf(worker, worker.random() < 0.5 ? own : anchors) ?? anyOf(worker, own);
  if (chosen !== undefined) return chosen.marker;
  return mayBeNone ? null : "row 1";
}

function isBelow(worker: Worker, marker: string, top: string): boolean {
  for (let at: string | null = marker, depth = 0; at !== null && depth < 1_000; depth += 1) {
    if (at === top) return true;
    at = worker.model.rows.get(at)?.parent ?? null;
  }
  return false;
}

/** What this version calls a row: remembered, or looked up by its marker. */
async function keyOf(worker: Worker, kind: Kind, marker: string): Promise<Key> {
  const known = worker.keys.get(marker);
  if (known !== undefined) return known;
  const table: RowTable = worker.tables.rows[kind];
  const lob = await lobOf(worker);
  const [found] = await worker.attempt("look up by name", () =>
    worker.db
      .select({ id: table.id })
      .from(table)
      .where(and(eq(table.lob, lob), eq(table.marker, marker))),
  );
  if (found?.id === undefined || found.id === null)
    throw new Error(`${marker} of ${kind} has no ${keyNameOf(worker.version, PLACES[kind].id)}`);
  worker.keys.set(marker, found.id);
  return found.id;
}

async function lobOf(worker: Worker): Promise<Key> {
  return named(worker, `lob ${worker.lob}`, "lobs", "lob_id", `code = ${literal(worker.lob)}`);
}

async function reportOf(worker: Worker): Promise<Key> {
  const name = `name = ${literal(worker.report)}`;
  const lob = `${ident(keyNameOf(worker.version, "lob_id"))} = ${literal(String(await lobOf(worker)))}`;
  return named(worker, `report ${worker.report}`, "reports", "report_id", `${name} AND ${lob}`);
}

async function named(
  worker: Worker,
  as: string,
  table: string,
  column: string,
  where: string,
): Promise<Key> {
  const known = worker.keys.get(as);
  if (known !== undefined) return known;
  const [found] = await worker.attempt("look up by name", () =>
    worker.sql.unsafe<{ key: Key | null }[]>(
      `SELECT ${ident(keyNameOf(worker.version, column))} AS key FROM ${qualified(worker.schema, table)} WHERE ${where}`,
    ),
  );
  if (found?.key === undefined || found.key === null) throw new Error(`${as} has no key`);
  worker.keys.set(as, found.key);
  return found.key;
}

function anyOf<T>(worker: Worker, choices: readonly T[]): T | undefined {
  return choices[Math.floor(worker.random() * choices.length)];
}

function mustBe(
  { marker, value }: ModelRow,
  found: { readonly marker: string | null; readonly value: string | null } | undefined,
  more: number,
): void {
  if (found === undefined) throw new Error(`${marker} was not found by its key`);
  if (more > 0) throw new Error(`${marker} was found ${more + 1} times by its key`);
  if (found.marker !== marker) throw new Error(`the key of ${marker} found ${found.marker}`);
  if (found.value !== value) throw new Error(`${marker} has ${found.value}, not ${value}`);
}
