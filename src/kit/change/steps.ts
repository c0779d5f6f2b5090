import { groupsOf, locksTogether, textOf, titleOf } from "../../install/groups.ts";
import { installStep } from "../../install/plan-install.ts";
import type { DatabaseObject } from "../../objects/object.ts";
import type { Lock, SqlStep, Step } from "../../plan/step.ts";

/** What is taken away and what is made instead, in one transaction. */
export interface Exchange {
  readonly id: string;
  readonly title: string;
  /** In the order in which it was made. */
  readonly drop: readonly DatabaseObject[];
  /** In the order in which it is made. */
  readonly create: readonly DatabaseObject[];
  /** What names without schema mean, before and after. */
  readonly settings: { readonly before: string; readonly after: string };
}

/** One step: at no moment is one of them there without the other, on the way back neither. */
export function exchangeStep({ id, title, drop, create, settings }: Exchange): SqlStep {
  const text = (gone: readonly DatabaseObject[], made: readonly DatabaseObject[]) =>
    [textOf(gone.toReversed(), (each) => each.drop), textOf(made, (each) => each.create)]
      .filter((part) => part !== "")
      .join(";\n");
  const locks = (gone: readonly DatabaseObject[], made: readonly DatabaseObject[]) =>
    locksTogether([
      ...gone.flatMap((each) => each.dropLocks),
      ...made.flatMap((each) => each.locks),
    ]);
  return {
    kind: "sql",
    id,
    title,
    sql: settings.after + text(drop, create),
    locks: locks(drop, create),
    creates: create.reduce((sum, { creates }) => sum + creates, 0),
    transaction: "commitAfter",
    undo: {
      kind: "statement",
      sql: settings.before + text(create, drop),
      locks: locks(create, drop),
      creates: drop.reduce((sum, { creates }) => sum + creates, 0),
      transaction: "commitAfter",
    },
  };
}

/** New objects, as an install makes them. */
export function createSteps(
  objects: readonly DatabaseObject[],
  settings: string,
): readonly SqlStep[] {
  return groupsOf(objects, ({ locks }) => locks).map((group) => ({
    ...installStep(group, settings),
    id: `create ${group[0]?.id ?? ""}`,
  }));
}

/** Objects that go and hold no rows, last first. */
export function dropSteps(
  objects: readonly DatabaseObject[],
  settings: Exchange["settings"],
): readonly SqlStep[] {
  const reversed = objects.filter(({ drop }) => drop !== null).toReversed();
  return groupsOf(reversed, ({ dropLocks }) => dropLocks).map((group) =>
    exchangeStep({
      id: `drop ${group[0]?.id ?? ""}`,
      title: titleOf("Drop", group),
      drop: group.toReversed(),
      create: [],
      settings,
    }),
  );
}

/** A statement that no online form is known of: behind a gate that says what it costs. */
export function gatedSteps(options: {
  readonly id: string;
  readonly title: string;
  readonly why: string;
  readonly sql: string;
  readonly undo: string;
  readonly locks: readonly Lock[];
}): readonly Step[] {
  const { id, title, why, sql, undo, locks } = options;
  return [
    {
      kind: "gate",
      id: `cost of ${id}`,
      title: `${title}: nobody minds to wait`,
      question: `${why} Is the table small enough, or is nobody at work?`,
      undo: { kind: "nothing" },
    },
    {
      kind: "sql",
      id,
      title,
      sql,
      locks,
      transaction: "commitAfter",
      undo: { kind: "statement", sql: undo, locks, transaction: "commitAfter" },
    },
  ];
}
