import { lockModeText } from "../../plan/lock.ts";
import { nameOf } from "./findings.ts";
import type {
  Rehearsal,
  RehearsedLock,
  RehearsedPlan,
  RehearsedStep,
  RowsOf,
  VisibilityChange,
} from "./rehearsal.ts";

/** How a rehearsal is printed. */
export interface RehearsalTextOptions {
  /** `markdown` is for a comment on a pull request. @default "text" */
  readonly format?: "text" | "markdown" | "json";
}

/**
 * Prints a rehearsal: findings first, then each step with who waits for it.
 *
 * @example
 * import { rehearsalText, rehearse, setNotNull } from "underpin/migrations";
 *
 * const rehearsal = await rehearse(setNotNull({ table: "users", column: "email" }), {
 *   base: "CREATE TABLE users (id int PRIMARY KEY, email text)",
 *   generate: { users: ({ row }) => ({ email: `user-${row}@example.org` }) },
 * });
 * console.log(rehearsalText(rehearsal, { format: "markdown" }));
 */
export function rehearsalText(
  rehearsal: Rehearsal,
  { format = "text" }: RehearsalTextOptions = {},
): string {
  switch (format) {
    case "json":
      return JSON.stringify(rehearsal, null, 2);
    case "markdown":
      return markdown(rehearsal);
    case "text":
      return text(rehearsal);
  }
}

function text(rehearsal: Rehearsal): string {
  const { plans, findings, visibility, notLookedAt } = rehearsal;
  const section = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ["", `${title}:`, ...lines.map((line) => `  ${line}`)];
  return [
    headline(rehearsal),
    ...section(
      "findings",
      findings.map(
        ({ check, severity, object, message }) => `${severity} ${check}: ${object}: ${message}`,
      ),
    ),
    ...plans.flatMap((plan) =>
      ways(plan).flatMap(([title, steps]) => [
        "",
        title,
        ...steps.flatMap((step) => [
          `  ${MARK[step.state]} ${step.id}: ${step.title}`,
          ...effectsOf(step).map((effect) => `      ${effect}`),
        ]),
      ]),
    ),
    ...section("who sees another number of rows", visibility.map(changeText)),
    ...section("not looked at", notLookedAt),
  ].join("\n");
}

function markdown(rehearsal: Rehearsal): string {
  const { plans, findings, visibility, notLookedAt } = rehearsal;
  const list = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ["", `### ${title}`, "", ...lines.map((line) => `- ${inLine(line)}`)];
  return [
    "## Rehearsal",
    "",
    headline(rehearsal),
    ...list(
      "Findings",
      findings.map(
        ({ check, severity, object, message }) =>
          `**${severity}** \`${check}\` ${object}: ${message}`,
      ),
    ),
    ...plans.flatMap((plan) =>
      ways(plan).flatMap(([title, steps]) => [
        "",
        `### ${inLine(title)}`,
        "",
        ...(steps.length === 0
          ? ["Nothing to do."]
          : [
              "| step | what | measured |",
              "| --- | --- | --- |",
              ...steps.map((step) => `| ${cells(step).map(inCell).join(" | ")} |`),
            ]),
      ]),
    ),
    ...list("Who sees another number of rows", visibility.map(changeText)),
    ...list("Not looked at", notLookedAt),
  ].join("\n");
}

function headline({ ok, server, rows, findings }: Rehearsal): string {
  const counts = Object.values(rows);
  const sum = counts.reduce((total, count) => total + count, 0);
  const bad = findings.filter(({ severity }) => severity !== "info").length;
  return `Rehearsed on ${server} over ${sum} rows in ${counts.length} tables: ${ok ? "nothing to look at" : `${bad} ${bad === 1 ? "finding" : "findings"}`}`;
}

function ways({ name, up, down }: RehearsedPlan) {
  const upTitle = `${name}${up.outcome === "done" ? "" : ": failed"}`;
  const all: (readonly [string, readonly RehearsedStep[]])[] = [[upTitle, up.steps]];
  if (down !== null)
    all.push([
      `${name}, taken back${down.outcome === "done" ? "" : ": failed"}`,
      down.steps.filter(({ state }) => state !== "notRun"),
    ]);
  return all;
}

const MARK = { done: "✓", failed: "✗", notRun: "·" } as const;

function cells(step: RehearsedStep): readonly string[] {
  const effects = effectsOf(step);
  return [
    `${MARK[step.state]} ${step.id}`,
    step.title,
    effects.length === 0 ? "nobody waits" : effects.join("<br>"),
  ];
}

/** What a step did to others, in words. */
function effectsOf(step: RehearsedStep): readonly string[] {
  const { locks, measured, rewritten, scanned, changed, failure, state } = step;
  if (state === "notRun") return ["did not run"];
  const tables = (verb: string, list: readonly RowsOf[]) =>
    list.map((table) => `${verb} ${table.rows} rows of ${nameOf(table)}`);
  return [
    ...(failure === null ? [] : [`failed: ${failure}`]),
    ...locks.filter(({ before, blocks }) => !before && blocks !== "nobody").map(lockText),
    ...(measured || locks.length === 0 ? [] : ["(as declared, not measured)"]),
    ...rewritten.map((table) => `writes ${nameOf(table)} anew`),
    ...tables("reads", scanned),
    ...tables("changes", changed),
  ];
}

function lockText(lock: RehearsedLock): string {
  return `${lockModeText(lock.mode)} on ${nameOf(lock)}: ${lock.blocks} wait`;
}

function changeText({ table, persona, tenant, before, after }: VisibilityChange): string {
  return `${persona} of ${tenant ?? "no tenant"} in ${table}: ${before} before, ${after} after`;
}

function inLine(line: string): string {
  return line.replaceAll(/\s*\n\s*/g, " ");
}

function inCell(text: string): string {
  return inLine(text).replaceAll("|", "\\|");
}
