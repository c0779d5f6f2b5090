import type { AccessData } from "../../definition/access.ts";
import type { Queryable } from "../../executor/executor.ts";
import { askerOf, type Identity } from "./asker.ts";
import { oneOf, type PlannedCell } from "./cell.ts";
import { becomeCells, lookupCells } from "./column-cells.ts";
import { classOf, isGranted, reaches, type Known } from "./expected.ts";
import type { Identities } from "./identities.ts";
import { partsOf, type ProofModel, type ProvenTable } from "./model.ts";
import { ask, type Asker } from "./runner.ts";
import { channelControls, sideChannels, type Choice } from "./side-channels.ts";
import { selectKeys } from "./statements.ts";
import { ALL_COMMANDS, brieflyCells, tableCells } from "./table-cells.ts";
import { viewCell, viewTruth, type ViewSources } from "./view-cells.ts";
import { rowsOf, type World } from "./world.ts";

/** What is known where the cells of one persona are made. */
export interface PersonaSources {
  readonly db: Queryable;
  readonly model: ProofModel;
  readonly world: World;
  readonly access: AccessData;
  readonly persona: string;
  readonly identities: Identities;
  readonly horizon: number;
  readonly add: (asker: Asker) => number;
  readonly askers: readonly Asker[];
  /** Keys whose side channel some persona has tried. */
  readonly tried: Set<string>;
}

/** All cells of one persona, but those without a context. */
export async function personaCells(sources: PersonaSources): Promise<readonly PlannedCell[]> {
  const { db, model, world, access, persona, identities, horizon, add, askers, tried } = sources;
  const cells: PlannedCell[] = [];
  const choices: (readonly Choice[])[] = [];
  const taken = new Set(
    [...world.rows.values()].flat().flatMap(({ values }) => Object.values(values)),
  );
  const users = identities.of(persona, 0);
  const base = { world, access, horizon };
  const at = (known: Known) => add(askerOf(access, known));
  for (const [rank, known] of users.entries()) {
    const as = at(known);
    for (const table of model.tables) {
      // Of a second user only where the first has nothing to see.
      if (rank > 0 && !adds(world, access, table, known, users.slice(0, rank))) continue;
      const right = { ...base, table, known, as, context: "right" } as const;
      cells.push(...tableCells(right), ...becomeCells(right, model), ...lookupCells(right, model));
      if (rank === 0)
        choices.push(...sideChannels({ model, world, access, known, as, taken }, table));
    }
  }
  cells.push(...(await possible(db, untried(choices, tried), askers, tried)));
  const [first] = users;
  const [second] = identities.of(persona, 1);
  if (first === undefined) return cells;
  const firstAs = at(first);
  if (second !== undefined) {
    const secondAs = at(second);
    for (const table of eachFunctionOnce(model, access, persona)) {
      const [plain] = brieflyCells({
        ...base,
        table,
        known: second,
        as: secondAs,
        context: "switched",
      });
      if (plain !== undefined)
        cells.push({ ...plain, question: { ...plain.question, kind: "switch", first: firstAs } });
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

/** Tables whose SELECT policies call, together, each function that any of them calls. */
function eachFunctionOnce(
  model: ProofModel,
  access: AccessData,
  persona: string,
): readonly ProvenTable[] {
  const called = new Set<string>();
  return model.tables.filter((table) => {
    if (!isGranted(table, access, persona, "select")) return false;
    const calls = partsOf(classOf(table, access, persona, "select")).map((part) =>
      part.kind === "among" ? part.lookup : part.kind,
    );
    const adding = calls.filter((call) => !called.has(call));
    for (const call of adding) called.add(call);
    return adding.length > 0;
  });
}

/** Of each key the first choice that no check refuses, asked one after another. A duplicate is no refusal: it is what is looked for. */
async function possible(
  db: Queryable,
  choices: readonly (readonly Choice[])[],
  askers: readonly Asker[],
  tried: Set<string>,
): Promise<readonly PlannedCell[]> {
  const chosen = new Map<readonly Choice[], Choice>();
  for (let round = 0; ; round += 1) {
    const open = choices.flatMap((list) => {
      const choice = chosen.has(list) ? undefined : list[round];
      return choice === undefined ? [] : [{ list, choice, controls: channelControls(choice) }];
    });
    if (open.length === 0) break;
    const answers = [
      ...(await ask(
        db,
        open.flatMap(({ controls }) => controls),
        askers,
      )),
    ];
    for (const { list, choice, controls } of open)
      if (answers.splice(0, controls.length).every((answer) => /^(?:ok|error 23505)/.test(answer)))
        chosen.set(list, choice);
  }
  return choices.flatMap((list) => {
    const choice = chosen.get(list) ?? [];
    const key = choice[0]?.pair;
    if (key !== undefined) tried.add(keyOf(key));
    return choice;
  });
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

/** A pair's key without its persona. */
function keyOf(pair: string): string {
  return pair.slice(pair.indexOf(" "));
}

/** Persona by persona: a key that one could try is not tried by the next, for keys do not ask who it is. */
function untried(choices: readonly (readonly Choice[])[], tried: Set<string>) {
  return choices.filter((list) => {
    const pair = list[0]?.[0]?.pair;
    return pair !== undefined && !tried.has(keyOf(pair));
  });
}
