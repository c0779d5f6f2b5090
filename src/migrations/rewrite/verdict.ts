import type { LockMode } from "../../plan/lock.ts";
import type { GateStep, Lock, Plan, RelationName, SqlStep, Step, Undo } from "../../plan/step.ts";
import { qualified } from "../../sql/quote.ts";
import type { RuleName } from "./rules.ts";

/** Why a statement is not to be run as it is. */
export interface Hazard {
  readonly rule: RuleName;
  /** What it is about: a path, or the words of the statement. */
  readonly object: string;
  /** The lock that others wait for, where there is one. */
  readonly lock?: RelationName & { readonly mode: LockMode };
  /** What is to be known beside the rule's own text. */
  readonly note?: string;
}

/** What was found about one change, and what takes its place in a plan. */
export interface Verdict {
  readonly hazards: readonly Hazard[];
  readonly parts: readonly (Step | Plan)[];
  /** Whether the parts are an online form of it, to be written instead. */
  readonly online?: true;
  /** It can stand in no plan: the plan is refused. */
  readonly refused?: true;
}

/** One change that is to be judged: a statement, or one command of an ALTER TABLE. */
export interface Change {
  /** The id of its step. */
  readonly id: string;
  /** The SQL of the change alone. */
  readonly sql: string;
}

/** What is known of a change that is taken over as it is. */
export interface Taken {
  readonly locks?: readonly Lock[];
  readonly undo: Undo;
  readonly creates?: number;
  readonly rows?: SqlStep["rows"];
  readonly title?: string;
  readonly hazards?: readonly Hazard[];
}

const BLOCKING: ReadonlySet<LockMode> = new Set([
  "share",
  "shareRowExclusive",
  "exclusive",
  "accessExclusive",
]);

/** The statement as it is, as a step. It commits where it has made others wait. */
export function taken({ id, sql }: Change, about: Taken): Verdict {
  const { locks = [], undo, creates, rows, hazards = [] } = about;
  const makesWait = locks.some(({ mode }) => BLOCKING.has(mode));
  return {
    hazards,
    parts: [
      {
        kind: "sql",
        id,
        title: about.title ?? titleOf(sql),
        sql,
        locks,
        ...(creates === undefined ? {} : { creates }),
        ...(rows === undefined ? {} : { rows }),
        transaction: makesWait || (rows ?? []).length > 0 ? "commitAfter" : "inside",
        undo,
      },
    ],
  };
}

/** The statement as it is, behind a question: it cannot be made online, and a person must know. */
export function gated(change: Change, hazard: Hazard, question: string, about: Taken): Verdict {
  const gate: GateStep = {
    kind: "gate",
    id: `${change.id}-gate`,
    title: `A person has to know: ${hazard.rule}`,
    question,
    undo: { kind: "nothing" },
  };
  const { hazards, parts } = taken(change, about);
  return { hazards: [hazard, ...hazards], parts: [gate, ...parts] };
}

/** The online form of the statement: plans of recipes, under the id of the statement. */
export function online(
  { id }: Change,
  hazards: readonly Hazard[],
  parts: readonly (Plan | Step)[],
): Verdict {
  return {
    hazards,
    online: true,
    parts: parts.map((part) =>
      "steps" in part
        ? { ...part, name: `${id}/${part.name}` }
        : { ...part, id: `${id}-${part.id}` },
    ),
  };
}

/** A statement that no plan can hold. */
export function refused(hazard: Hazard): Verdict {
  return { hazards: [hazard], parts: [], refused: true };
}

/** A statement that is left out, and why. */
export function leftOut(hazard: Hazard): Verdict {
  return { hazards: [hazard], parts: [] };
}

/** An undo by one statement, under the same locks. */
export function backBy(sql: string, locks: readonly Lock[], residue?: string): Undo {
  return {
    kind: "statement",
    sql,
    locks,
    transaction: "inside",
    ...(residue === undefined ? {} : { residue }),
  };
}

/** Nothing can take it back. */
export function never(reason: string): Undo {
  return { kind: "irreversible", reason };
}

/** One lock on a relation, and what is below it. */
export function lockOn({ schema, name }: RelationName, mode: LockMode): Lock {
  return { schema, name, mode, partitions: true };
}

/** The path of a relation in SQL. */
export function pathOf({ schema, name }: RelationName): string {
  return qualified(schema, name);
}

/** What the script is remembered to have made where it has made a policy of a table. */
export function policyMark(path: string): string {
  return `a policy of ${path}`;
}

/** The first words of a statement. */
export function titleOf(sql: string): string {
  const line = sql.replaceAll(/\s+/g, " ").trim();
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
}
