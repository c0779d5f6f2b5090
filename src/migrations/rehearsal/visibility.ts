import type { Executor } from "../../executor/executor.ts";
import { askerOf } from "../../rls/proof/asker.ts";
import { chooseIdentities } from "../../rls/proof/identities.ts";
import { ask, type Asker, type Question } from "../../rls/proof/runner.ts";
import { prepareAsker, type Filled } from "./fill.ts";
import type { VisibilityChange } from "./rehearsal.ts";

/** Somebody whose view of the tables is counted. */
interface Viewer {
  readonly persona: string;
  readonly tenant: string | null;
  /** The schema of the access that he belongs to. */
  readonly access: string;
  readonly asker: Asker;
}

/** For each persona of the definition, users of both tenants for whom there is something to see and to hide. */
export async function chooseViewers(
  db: Executor,
  { model, world }: Filled,
): Promise<readonly Viewer[]> {
  const { access: all } = model.definition;
  if (all.length === 0) return [];
  return takenBack(db, async (tx) => {
    await prepareAsker(tx, model.schemas, model.definition);
    const viewers: Viewer[] = [];
    for (const access of all) {
      const identities = await chooseIdentities(tx, model, world, access);
      for (const persona of Object.keys(access.roles))
        for (const tenant of [0, 1])
          for (const known of identities.of(persona, tenant).slice(0, 1))
            viewers.push({
              persona,
              tenant: known.tenant,
              access: access.schema,
              asker: askerOf(access, known),
            });
    }
    return viewers;
  });
}

/** How many rows each viewer sees of each table, by their place in the list and the table's name as SQL. */
export type View = ReadonlyMap<string, string>;

/** Asks everybody for a count of every table that the definition gives rules to. */
export async function readView(
  db: Executor,
  { model }: Filled,
  viewers: readonly Viewer[],
): Promise<View> {
  if (viewers.length === 0) return new Map();
  return takenBack(db, async (tx) => {
    await prepareAsker(tx, model.schemas, model.definition);
    const places: string[] = [];
    const questions: Question[] = [];
    viewers.forEach(({ access }, as) => {
      for (const table of model.tables) {
        if (table.access?.schema !== access) continue;
        questions.push({
          as,
          kind: "rows",
          sql: `SELECT pg_catalog.count(*)::text FROM ${table.sql}`,
        });
        places.push(placeOf(as, table.sql));
      }
    });
    const answers = await ask(
      tx,
      questions,
      viewers.map(({ asker }) => asker),
    );
    return new Map(places.map((place, at) => [place, inWords(answers[at] ?? "")]));
  });
}

/** Where a viewer sees another number of rows than before. */
export function viewChanges(
  { model }: Filled,
  viewers: readonly Viewer[],
  before: View,
  after: View,
): readonly VisibilityChange[] {
  return viewers.flatMap(({ persona, tenant }, as) =>
    model.tables.flatMap(({ sql, path }) => {
      const was = before.get(placeOf(as, sql));
      const is = after.get(placeOf(as, sql));
      return was === undefined || is === undefined || was === is
        ? []
        : [{ table: path, persona, tenant, before: was, after: is }];
    }),
  );
}

function placeOf(as: number, sql: string): string {
  return `${as} ${sql}`;
}

function inWords(answer: string): string {
  return answer.startsWith("ok ") ? answer.slice(3) : answer;
}

async function takenBack<T>(
  db: Executor,
  work: (tx: Parameters<Parameters<Executor["transaction"]>[0]>[0]) => Promise<T>,
): Promise<T> {
  const done: { readonly result: T }[] = [];
  const takeBack = new Error("rolled back, as meant");
  await db
    .transaction(async (tx) => {
      done.push({ result: await work(tx) });
      throw takeBack;
    })
    .catch((error: unknown) => {
      if (error !== takeBack) throw error;
    });
  const [only] = done;
  if (only === undefined) throw takeBack;
  return only.result;
}
