import type { Facts } from "../../catalog/read-facts.ts";
import type { Plan, RelationName, SqlStep, Step } from "../../plan/step.ts";
import { parseScript, type SqlScript, type SqlStatement } from "../../sql/parse.ts";
import { qualified } from "../../sql/quote.ts";
import { allowancesIn, allowedFor, type Allowance } from "./allow.ts";
import { judge } from "./judge.ts";
import { madeBy } from "./judge-create.ts";
import { judgeDo } from "./judge-do.ts";
import { judgeProtection, protectionOf } from "./judge-row-security.ts";
import { observe } from "./observe.ts";
import type { RuleName } from "./rules.ts";
import type { Scene } from "./scene.ts";
import type { Verdict } from "./verdict.ts";

/** One statement of a script, with what was found. */
export interface Judged {
  readonly statement: SqlStatement;
  readonly verdicts: readonly Verdict[];
  /** What would have been found, had nothing been allowed. */
  readonly unallowed: ReadonlySet<RuleName>;
  /** What was known where it stands. */
  readonly scene: Scene;
}

/** A script, read and judged. */
export interface ReadScript {
  readonly script: SqlScript;
  readonly judged: readonly Judged[];
  readonly allowances: readonly Allowance[];
}

/** How names of a script are understood. */
export interface ReadScriptOptions {
  readonly facts: Facts | undefined;
  readonly schema: string;
}

/** Nothing is known but the facts. */
export function firstScene({ facts, schema }: ReadScriptOptions): Scene {
  return {
    facts,
    schema,
    made: new Set(),
    columns: [],
    added: new Map(),
    proven: new Set(),
    allowed: new Set(),
  };
}

/** Reads a script and judges each of its statements, in order, by what is known there. */
export async function readScript(sql: string, options: ReadScriptOptions): Promise<ReadScript> {
  const script = await parseScript(sql);
  const allowances = allowancesIn(sql, script.comments, script.statements);
  const judged: Judged[] = [];
  const saidBefore = new Set<SqlStatement>();
  let scene = firstScene(options);
  const fresh = new Set<string>();
  for (const [at, statement] of script.statements.entries()) {
    const id = `statement-${at + 1}`;
    const allowed = allowedFor(allowances, statement);
    const look = (known: Scene) =>
      saidBefore.has(statement)
        ? Promise.resolve([])
        : verdictsOn(known, statement, script.statements.slice(at + 1), id, saidBefore);
    const plain = await look(scene);
    const unallowed = new Set(plain.flatMap(({ hazards }) => hazards.map(({ rule }) => rule)));
    const isSoftened = [...allowed].some((rule) => unallowed.has(rule));
    const verdicts = isSoftened ? await look({ ...scene, allowed }) : plain;
    const known = scene;
    const settledOnes = verdicts.map((each) => settled(known, fresh, softened(each, allowed)));
    judged.push({ statement, unallowed, scene, verdicts: settledOnes });
    const last = settledOnes.at(-1)?.parts.at(-1);
    if (
      last !== undefined &&
      "kind" in last &&
      last.kind === "sql" &&
      last.transaction === "inside"
    )
      for (const { schema, name } of madeBy(scene, statement.node))
        fresh.add(qualified(schema, name));
    scene = observe(scene, statement);
  }
  return { script, judged, allowances };
}

async function verdictsOn(
  scene: Scene,
  statement: SqlStatement,
  following: readonly SqlStatement[],
  id: string,
  saidBefore: Set<SqlStatement>,
): Promise<readonly Verdict[]> {
  if (statement.kind === "DoStmt") return [await judgeDo(scene, statement, id)];
  const protection = protectionOf(scene, statement, following);
  if (protection === undefined) return judge(scene, statement, id);
  for (const each of protection.taken) saidBefore.add(each);
  return [judgeProtection(scene, statement, protection, id)];
}

/** Without what a person has allowed; where that was all, also without the question. */
function softened(verdict: Verdict, allowed: ReadonlySet<RuleName>): Verdict {
  if (allowed.size === 0 || verdict.refused === true) return verdict;
  const hazards = verdict.hazards.filter(({ rule }) => !allowed.has(rule));
  if (hazards.length > 0 || hazards.length === verdict.hazards.length)
    return { ...verdict, hazards };
  return { ...verdict, hazards, parts: verdict.parts.filter((part) => !isGate(part)) };
}

function isGate(part: Step | Plan): boolean {
  return "kind" in part && part.kind === "gate";
}

/**
 * Nobody waits for what the script has made: such steps share a transaction. `fresh` is what the open one has made itself, which
 * others cannot see, and which is no lock to declare.
 */
function settled(scene: Scene, fresh: Set<string>, verdict: Verdict): Verdict {
  const pathOf = (name: RelationName) => qualified(name.schema, name.name);
  return {
    ...verdict,
    parts: verdict.parts.map((part) => {
      if (!("kind" in part) || part.kind !== "sql" || part.transaction === "outside") {
        fresh.clear();
        return part;
      }
      const { locks, rows = [] } = part;
      const isQuiet =
        locks.length + rows.length > 0 &&
        [...locks, ...rows].every((name) => scene.made.has(pathOf(name)));
      const step: SqlStep = {
        ...part,
        locks: locks.filter((lock) => !fresh.has(pathOf(lock))),
        transaction: isQuiet ? "inside" : part.transaction,
      };
      if (step.transaction === "commitAfter") fresh.clear();
      return step;
    }),
  };
}
