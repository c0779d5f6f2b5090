import type { Queryable } from "../../executor/executor.ts";
import { RUNNER_FUNCTIONS } from "./runner-functions.ts";

/**
 * Runs many small questions inside the database, each in a subtransaction of its own that is taken back: a round trip for each would
 * cost more than all of them. Questions that want the same before them share a scene: it is set once.
 */

/** Settings to ask under: who, and what the context holds. */
export interface Asker {
  /** Null: as who runs the proof. */
  readonly role: string | null;
  readonly settings: readonly (readonly [name: string, value: string])[];
}

/** One question. */
export interface Question {
  /** What is asked, as its asker. */
  readonly sql: string;
  /** Whose context: a place in the list of askers. */
  readonly as: number;
  /** `rows`: the answer is the text that it returns; `count`: how many rows it changed; `switch`: as `rows`, by a prepared statement that was run as `first` before. */
  readonly kind: "rows" | "count" | "switch";
  readonly first?: number;
  /** Done before, as who runs the proof. */
  readonly before?: string;
  /** Asked after, as who runs the proof; its answer counts. */
  readonly after?: string;
  /** With triggers and foreign keys at work. */
  readonly live?: boolean;
}

/** Something that is done, and the questions whose answers show it. */
export interface Change {
  readonly sql: string;
  /** Places in the list of questions. */
  readonly questions: readonly number[];
  /** How many of these, from the first on, are the change's alone: no other of its group could change their answers. */
  readonly own: number;
  /** Changes of one group are made together, step by step: a step's own questions are answered as if each of its changes were made alone. */
  readonly together?: Together;
}

/** Where a change stands among those that are made together. */
export interface Together {
  readonly group: string;
  /** A later step undoes what the steps before did to the same thing. */
  readonly step: number;
}

/** What became of a change. */
export interface Changed {
  /** Why it could not be made. */
  readonly error?: string;
  /** The first question that is answered otherwise, and the answer. */
  readonly question?: number;
  readonly answer?: string;
}

/** Questions that share what is done before them, or where nothing is, who asks. */
interface Scene {
  readonly before?: string;
  readonly live?: boolean;
  readonly as?: number;
  readonly questions: Item[];
}

/** What is left of a question in its scene: who asks stands in it where askers share the scene. */
type Item = Pick<Question, "sql" | "kind" | "after" | "first"> & { readonly as?: number };

/** Makes the functions that ask, for this transaction. */
export async function prepareRunner(db: Queryable): Promise<void> {
  await db.query(["SET LOCAL check_function_bodies TO off", ...RUNNER_FUNCTIONS].join(";\n"));
}

/**
 * The answers: `ok …` with what was returned, `refused …` for 42501 with what refused, `error …` with code and constraint.
 *
 * The same statement of the same role in the same context is asked once, whoever it is asked for.
 */
export async function ask(
  db: Queryable,
  questions: readonly Question[],
  askers: readonly Asker[],
): Promise<readonly string[]> {
  if (questions.length === 0) return [];
  const same = interned(askers);
  const scenes = new Map<string, Scene>();
  const places = new Map<string, readonly [scene: Scene, at: number]>();
  const asked = questions.map((question) => {
    const [scene, item] = partsOf(question, same);
    const sceneKey = JSON.stringify(scene);
    const key = sceneKey + JSON.stringify(item);
    const known = places.get(key);
    if (known !== undefined) return known;
    const found = scenes.get(sceneKey) ?? { ...scene, questions: [] };
    scenes.set(sceneKey, found);
    const place = [found, found.questions.push(item) - 1] as const;
    places.set(key, place);
    return place;
  });
  // What is live last: it throws away the plans of the session each time, and all that come after would be planned again.
  const all = [...scenes.values()];
  const ordered = [...all.filter(({ live }) => live !== true), ...all.filter(({ live }) => live)];
  const [row] = await db.query<{ answers: readonly (readonly string[])[] }>(
    "SELECT pg_temp.underpin_ask_all($1::jsonb, $2::jsonb) AS answers",
    [JSON.stringify(ordered), JSON.stringify(askers)],
  );
  const ranks = new Map(ordered.map((scene, rank) => [scene, rank]));
  return asked.map(([scene, at]) => row?.answers[ranks.get(scene) ?? -1]?.[at] ?? "");
}

/** The first place of each asker's like. */
function interned(askers: readonly Asker[]): readonly number[] {
  const first = new Map<string, number>();
  return askers.map((asker, at) => {
    const key = JSON.stringify(asker);
    const found = first.get(key) ?? at;
    first.set(key, found);
    return found;
  });
}

/** A question as its scene and what is asked in it. */
function partsOf(
  { sql, kind, after, before, live, as, first }: Question,
  same: readonly number[],
): readonly [scene: Omit<Scene, "questions">, item: Item] {
  const who = same[as] ?? as;
  const item = {
    sql,
    kind,
    ...(after === undefined ? {} : { after }),
    ...(first === undefined ? {} : { first: same[first] ?? first }),
  };
  // To become somebody else costs less than what is done before; who switches is nobody before.
  return before === undefined && live !== true && first === undefined
    ? [{ as: who }, item]
    : [
        {
          ...(before === undefined ? {} : { before }),
          ...(live === true ? { live } : {}),
        },
        { ...item, as: who },
      ];
}

/** Makes each change, asks its questions until one is answered otherwise than expected, and takes it back. */
export async function askAfter(
  db: Queryable,
  changes: readonly Change[],
  questions: readonly Question[],
  askers: readonly Asker[],
  expected: readonly string[],
): Promise<readonly Changed[]> {
  if (changes.length === 0) return [];
  const used = [...new Set(changes.flatMap((change) => change.questions))];
  const places = new Map(used.map((question, at) => [question, at]));
  const same = askers.map((_, at) => at);
  const scenes = used.flatMap((at) => {
    const question = questions[at];
    if (question === undefined) return [];
    const [scene, item] = partsOf(question, same);
    return [{ ...scene, questions: [item] }];
  });
  const [row] = await db.query<{ results: readonly Changed[] }>(
    "SELECT pg_temp.underpin_change_all($1::jsonb, $2::jsonb, $3::jsonb, $4::jsonb, $5::jsonb) AS results",
    [
      changes.map((change) => ({
        sql: change.sql,
        questions: change.questions.map((at) => places.get(at)),
        own: change.own,
      })),
      groupsOf(changes),
      scenes,
      askers,
      used.map((at) => expected[at]),
    ].map((each) => JSON.stringify(each)),
  );
  return (row?.results ?? []).map(({ question, ...rest }) => {
    const at = question === undefined ? undefined : used[question];
    return at === undefined ? rest : { ...rest, question: at };
  });
}

/** What is done at once, and the places of the changes whose questions are asked then. */
interface Step {
  sql: string;
  readonly members: number[];
}

/** The groups of changes, each as its steps in their order. */
function groupsOf(changes: readonly Change[]) {
  const groups = new Map<string, Map<number, Step>>();
  changes.forEach(({ sql, own, together }, at) => {
    if (together === undefined || own === 0) return;
    const steps = groups.get(together.group) ?? new Map<number, Step>();
    groups.set(together.group, steps);
    const step = steps.get(together.step);
    if (step === undefined) steps.set(together.step, { sql, members: [at] });
    else {
      step.sql += `;\n${sql}`;
      step.members.push(at);
    }
  });
  return [...groups.values()].map((steps) =>
    [...steps].sort(([a], [b]) => a - b).map(([, step]) => step),
  );
}
