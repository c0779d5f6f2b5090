import { COMMANDS, type AccessData, type Lookup, type RowClass } from "../../definition/access.ts";
import type { Queryable } from "../../executor/executor.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { askerOf, settingsOf, type Identity } from "./asker.ts";
import { classOf, customKey, reaches, withoutKey, type Known } from "./expected.ts";
import { probeOf } from "./lookup-probes.ts";
import { partsOf, value, type ProofModel, type ProvenTable } from "./model.ts";
import { ask, type Asker, type Question } from "./runner.ts";
import { removeRow } from "./statements.ts";
import { rowsOf, type World } from "./world.ts";

/** How many users are tried for each persona and tenant. */
const CANDIDATES = 10;
/** How many users of one tenant a persona is proven as, where one alone does not reach every table. */
const USERS = 3;

/** For each persona the users that it is proven as, of the first tenant and of the second. */
export interface Identities {
  readonly of: (persona: string, tenant: number) => readonly Known[];
  /** The first tenant's user with the second tenant's id. */
  readonly strangers: (persona: string) => readonly Known[];
}

/** Chooses users for whom there is something to see and something to hide, and works out what their lookups yield. */
export async function chooseIdentities(
  db: Queryable,
  model: ProofModel,
  world: World,
  access: AccessData,
): Promise<Identities> {
  const personas = Object.keys(access.roles);
  const wanted: Identity[] = [0, 1].flatMap((tenant) =>
    candidatesOf(model, world, access, tenant).flatMap((user) =>
      personas.map((persona) => ({ persona, user, tenant: world.tenants[tenant] ?? null })),
    ),
  );
  const known = await know(db, model, world, access, wanted);
  const chosen = new Map<string, readonly Known[]>();
  for (const persona of personas)
    for (const tenant of [0, 1]) {
      const own = known.filter(
        (each) => each.persona === persona && each.tenant === world.tenants[tenant],
      );
      chosen.set(`${persona} ${tenant}`, best(model, world, access, own));
    }
  const strange = personas.flatMap((persona) =>
    (chosen.get(`${persona} 0`) ?? []).slice(0, 1).map(({ user }) => ({
      persona,
      user,
      tenant: world.tenants[1] ?? null,
    })),
  );
  const strangers = await know(db, model, world, access, strange);
  const all = await withoutRows(db, model, world, access, [...chosen.values()].flat());
  return {
    of: (persona, tenant) =>
      all.filter((each) => each.persona === persona && each.tenant === world.tenants[tenant]),
    strangers: (persona) => strangers.filter((each) => each.persona === persona),
  };
}

/** Ids of a tenant that may be users: what `own` columns hold, and what the lookups' tables do. */
function candidatesOf(
  model: ProofModel,
  world: World,
  access: AccessData,
  tenant: number,
): readonly string[] {
  const read = new Set(
    access.lookups.flatMap(({ reads }) => reads.map((each) => qualified(each.schema, each.name))),
  );
  const columnsOf = (table: ProvenTable): readonly string[] => [
    ...Object.values(table.rules?.rules ?? {})
      .flatMap((byPersona) => Object.values(byPersona))
      .flatMap(partsOf)
      .flatMap((part) => (part.kind === "own" ? [part.column] : [])),
    ...(read.has(table.sql)
      ? table.columns
          .filter(({ name, type }) => type === access.user.type && name !== table.tenantColumn)
          .map(({ name }) => name)
      : []),
  ];
  const counts = new Map<string, number>();
  for (const table of model.tables) {
    if (table.access?.schema !== access.schema && !read.has(table.sql)) continue;
    for (const column of new Set(columnsOf(table)))
      for (const row of rowsOf(world, table)) {
        const id = row.values[column];
        if (id != null && row.tenant === tenant) counts.set(id, (counts.get(id) ?? 0) + 1);
      }
  }
  const found = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return found.length === 0
    ? [access.user.type === "uuid" ? "77777777-7777-4777-8777-777777777777" : "77"]
    : found.slice(0, CANDIDATES).map(([id]) => id);
}

/** Users, one after another, each reaching some table and command that those before do not. */
function best(
  model: ProofModel,
  world: World,
  access: AccessData,
  candidates: readonly Known[],
): readonly Known[] {
  const cellsOf = (known: Known) =>
    model.tables.flatMap((table) =>
      COMMANDS.flatMap((command) => {
        const rowClass = classOf(table, access, known.persona, command);
        if (rowClass.kind === "none") return [];
        const rows = rowsOf(world, table);
        if (!rows.some((row) => reaches(table, rowClass, known, row))) return [];
        const hides = rows.some(
          (row) =>
            world.tenants[row.tenant ?? -1] === known.tenant &&
            !reaches(table, rowClass, known, row),
        );
        const cell = `${table.sql} ${command}`;
        return hides ? [cell, `${cell} and not all`] : [cell];
      }),
    );
  const scored = candidates.map((known) => ({ known, cells: new Set(cellsOf(known)) }));
  const covered = new Set<string>();
  const chosen: Known[] = [];
  while (chosen.length < USERS) {
    const gains = scored.map(({ cells }) => [...cells].filter((cell) => !covered.has(cell)).length);
    const most = Math.max(...gains, 0);
    const next = scored[gains.indexOf(most)];
    if (next === undefined || (most === 0 && chosen.length > 0)) break;
    chosen.push(next.known);
    for (const cell of next.cells) covered.add(cell);
    if (most === 0) break;
  }
  return chosen;
}

/** What identities reach: their lookups as they are declared, asked by who sees every row, and the predicates that were written by hand. */
async function know(
  db: Queryable,
  model: ProofModel,
  world: World,
  access: AccessData,
  identities: readonly Identity[],
): Promise<readonly Known[]> {
  const askers: Asker[] = [];
  const questions: Question[] = [];
  const places: (readonly [identity: number, kind: "lookup" | "custom", name: string])[] = [];
  const customs = new Map(
    Object.keys(access.roles).map((persona) => [persona, customsOf(model, access, persona)]),
  );
  // A lookup does not depend on the persona.
  const seen = new Map<string, number>();
  identities.forEach((identity, at) => {
    const who = JSON.stringify([identity.tenant, identity.user]);
    if (access.lookups.length > 0 && !seen.has(who)) {
      seen.set(who, at);
      askers.push({ role: null, settings: settingsOf(access, identity) });
      for (const lookup of access.lookups) {
        if (lookup.query === null) continue;
        questions.push(lookupQuestion(access, lookup, askers.length - 1));
        places.push([at, "lookup", lookup.name]);
      }
    }
    const own = customs.get(identity.persona) ?? [];
    if (own.length > 0) askers.push(askerOf(access, identity));
    for (const { table, predicate } of own) {
      questions.push({
        as: askers.length - 1,
        kind: "rows",
        sql: customQuestion(world, table, predicate),
      });
      places.push([at, "custom", customKey(table, predicate)]);
    }
  });
  const answers = await ask(db, questions, askers);
  const lookups = new Map<string, Map<string, ReadonlySet<string>>>();
  const custom = new Map<number, Map<string, ReadonlySet<string>>>();
  places.forEach(([at, kind, name], index) => {
    const answer = answers[index] ?? "";
    const identity = identities[at];
    const who = JSON.stringify([identity?.tenant, identity?.user]);
    if (kind === "lookup") into(lookups, who).set(name, idsIn(answer));
    else into(custom, at).set(name, keysIn(answer));
  });
  return identities.map((identity, at) => ({
    ...identity,
    lookups: lookups.get(JSON.stringify([identity.tenant, identity.user])) ?? new Map(),
    custom: custom.get(at) ?? new Map(),
    without: new Map(),
  }));
}

function into<K, V>(map: Map<K, Map<string, V>>, key: K): Map<string, V> {
  const found = map.get(key) ?? new Map<string, V>();
  map.set(key, found);
  return found;
}

function lookupQuestion(access: AccessData, lookup: Lookup, as: number): Question {
  return {
    as,
    kind: "rows",
    sql: `SELECT pg_catalog.to_json(${probeOf(access, lookup)})::text`,
  };
}

/** Rows as literals: the policies of their table are not asked. */
function customQuestion(world: World, table: ProvenTable, predicate: string): string {
  const rows = rowsOf(world, table);
  if (rows.length === 0) return "SELECT ''";
  const key = ident("underpin key");
  // The columns that it names. Where it may mean the row, all: a row with fewer columns would be another.
  const said = predicate.toLowerCase();
  const columns = said.includes(table.name.toLowerCase())
    ? table.columns
    : table.columns.filter(({ name }) => said.includes(name.toLowerCase()));
  const lists = rows.map(
    (row) =>
      `(${[value(row.key), ...columns.map(({ name, type }) => `${value(row.values[name] ?? null)}::${type}`)].join(", ")})`,
  );
  const names = [key, ...columns.map(({ name }) => ident(name))].join(", ");
  return `SELECT pg_catalog.string_agg(${key}, pg_catalog.chr(31)) FROM (VALUES ${lists.join(", ")}) AS ${ident(table.name)}(${names}) WHERE ${predicate}`;
}

function customsOf(model: ProofModel, access: AccessData, persona: string) {
  const found = new Map<string, { readonly table: ProvenTable; readonly predicate: string }>();
  for (const table of model.tables)
    for (const command of COMMANDS)
      for (const part of partsOf(classOf(table, access, persona, command)))
        if (part.kind === "custom")
          found.set(customKey(table, part.predicate), { table, predicate: part.predicate });
  return [...found.values()];
}

function idsIn(answer: string): ReadonlySet<string> {
  return new Set(
    answer.startsWith("ok ")
      ? (JSON.parse(answer.slice(3) || "[]") as (string | null)[]).filter((id) => id !== null)
      : [],
  );
}

function keysIn(answer: string): ReadonlySet<string> {
  return new Set(answer.startsWith("ok ") ? answer.slice(3).split("\u001f") : []);
}

/** Adds the lookups as they are while a row is not there, for rows of tables that lookups read and that are inserted by a lookup. */
async function withoutRows(
  db: Queryable,
  model: ProofModel,
  world: World,
  access: AccessData,
  identities: readonly Known[],
): Promise<readonly Known[]> {
  const askers = identities.map(
    (each): Asker => ({ role: null, settings: settingsOf(access, each) }),
  );
  const places: (readonly [at: number, key: string, lookup: string])[] = [];
  const questions: Question[] = [];
  identities.forEach((identity, at) => {
    for (const table of model.tables) {
      const wanted = lookupsOf(classOf(table, access, identity.persona, "insert"));
      for (const lookup of access.lookups) {
        const { name, query, reads } = lookup;
        const isRead = reads.some((each) => qualified(each.schema, each.name) === table.sql);
        if (!isRead || query === null || !wanted.has(name)) continue;
        for (const row of rowsOf(world, table)) {
          questions.push({ ...lookupQuestion(access, lookup, at), before: removeRow(table, row) });
          places.push([at, withoutKey(table, row), name]);
        }
      }
    }
  });
  const answers = await ask(db, questions, askers);
  const found = identities.map(() => new Map<string, Map<string, ReadonlySet<string>>>());
  places.forEach(([at, key, lookup], index) => {
    const identity = identities[at];
    const own = found[at];
    if (identity === undefined || own === undefined) return;
    const lookups = own.get(key) ?? new Map(identity.lookups);
    lookups.set(lookup, idsIn(answers[index] ?? ""));
    own.set(key, lookups);
  });
  return identities.map((identity, at) => ({ ...identity, without: found[at] ?? new Map() }));
}

function lookupsOf(rowClass: RowClass): ReadonlySet<string> {
  return new Set(partsOf(rowClass).flatMap((part) => (part.kind === "among" ? [part.lookup] : [])));
}
