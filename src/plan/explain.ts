import { qualified } from "../sql/quote.ts";
import { hashPlan } from "./hash.ts";
import { blocksWrites, lockModeText, type LockMode } from "./lock.ts";
import { segment } from "./segment.ts";
import { backfillText } from "./backfill-text.ts";
import type { Lock, Plan, Step, Undo } from "./step.ts";

/** How a plan is printed. */
export interface ExplainOptions {
  /** @default "text" */
  readonly format?: "text" | "markdown" | "json" | "sql";
}

/**
 * Prints a plan: every statement with its locks, where transactions begin and end, and how each step is taken back.
 *
 * @example
 * console.log(explain(setNotNull({ table: "users", column: "email" })));
 */
export function explain(plan: Plan, { format = "text" }: ExplainOptions = {}): string {
  switch (format) {
    case "text":
      return text(plan);
    case "markdown":
      return markdown(plan);
    case "json":
      return JSON.stringify({ ...plan, hash: hashPlan(plan) }, null, 2);
    case "sql":
      return sql(plan);
  }
}

function text(plan: Plan): string {
  const lines = [`${plan.name}: ${count(plan.steps.length, "step")}, hash ${hashPlan(plan)}`];
  let number = 0;
  for (const { transaction, steps } of segment(plan.steps)) {
    lines.push("", transaction ? "── one transaction" : `── ${ALONE[kindOf(steps[0])]}`);
    for (const step of steps) {
      lines.push(`${String(++number).padStart(3)}  ${step.id}${onlyOn(step)}: ${step.title}`);
      const body = bodyOf(step);
      if (body !== "") lines.push(indent(body));
      if ("locks" in step) lines.push(indent(`locks: ${locksText(step.locks)}`));
      if (step.phase !== undefined) lines.push(indent(`phase: ${step.phase}`));
      lines.push(indent(`undo:  ${undoText(step.undo)}`));
    }
  }
  return lines.join("\n");
}

function markdown(plan: Plan): string {
  const rows = plan.steps.map((step, at) =>
    [
      String(at + 1),
      `\`${step.id}\`${onlyOn(step)}`,
      step.title,
      "locks" in step ? locksText(step.locks) : "none",
      undoText(step.undo),
    ]
      .map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " "))
      .join(" | "),
  );
  return [
    `### ${plan.name}`,
    "",
    "| # | step | what | locks | undo |",
    "| --- | --- | --- | --- | --- |",
    ...rows.map((row) => `| ${row} |`),
  ].join("\n");
}

/** The plan as a script for reading. Gates, calls and backfills stand in it as comments. */
function sql(plan: Plan): string {
  const lines = [`-- ${plan.name}, hash ${hashPlan(plan)}`];
  for (const { transaction, steps } of segment(plan.steps)) {
    lines.push("");
    if (transaction) lines.push("BEGIN;");
    for (const step of steps) {
      lines.push(`-- ${step.id}${onlyOn(step)}: ${step.title}`);
      const body = bodyOf(step);
      const isSql = step.kind === "sql" || step.kind === "check";
      lines.push(isSql ? `${body};` : body.replaceAll(/^/gm, "-- "));
    }
    if (transaction) lines.push("COMMIT;");
  }
  return lines.join("\n");
}

const ALONE = {
  outside: "outside a transaction",
  gate: "waits for a person",
  call: "in the host",
  backfill: "in batches, each its own transaction",
} as const;

function kindOf(step: Step | undefined): keyof typeof ALONE {
  return step?.kind === "gate" || step?.kind === "call" || step?.kind === "backfill"
    ? step.kind
    : "outside";
}

function bodyOf(step: Step): string {
  switch (step.kind) {
    case "sql":
      return step.sql;
    case "check":
      return step.sql;
    case "gate":
      return step.question;
    case "call":
      return `${step.handler} (version ${step.version}) with ${JSON.stringify(step.argument)}`;
    case "backfill":
      return `${backfillText(step)}\n${step.batchSize} rows at a time by ${step.key.map(({ name }) => name).join(", ")}, ${step.pauseMs} ms rest`;
  }
}

function locksText(locks: readonly Lock[]): string {
  if (locks.length === 0) return "none";
  return locks
    .map(
      ({ schema, name, mode, partitions }) =>
        `${modeText(mode)} on ${qualified(schema, name)}${partitions === true ? " and its partitions" : ""}`,
    )
    .join("; ");
}

/** A lock mode as PostgreSQL's manual writes it, with what it means to an application. */
function modeText(mode: LockMode): string {
  const effect =
    mode === "accessExclusive"
      ? "reads and writes wait"
      : blocksWrites(mode)
        ? "writes wait"
        : "reads and writes go on";
  return `${lockModeText(mode)} (${effect})`;
}

function undoText(undo: Undo): string {
  switch (undo.kind) {
    case "nothing":
      return "nothing to take back";
    case "irreversible":
      return `cannot be taken back: ${undo.reason}`;
    case "statement":
      return `${undo.sql}${undo.residue === undefined ? "" : ` (leaves ${undo.residue})`}`;
  }
}

function onlyOn({ when }: Step): string {
  return when === undefined ? "" : ` [PostgreSQL ${when.server}]`;
}

function indent(block: string): string {
  return block.replaceAll(/^/gm, "     ");
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}
