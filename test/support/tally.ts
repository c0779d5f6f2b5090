import type { Engine } from "./provided.ts";

/** One finished test, as the tally needs it. */
export interface TestOutcome {
  readonly state: "passed" | "failed" | "skipped" | "pending";
  readonly engine: Engine | undefined;
  readonly skipReason: string | undefined;
  /** Path of its file from the project's root. */
  readonly file: string;
}

/** The last lines of a run: what ran on which engine, what was skipped and why, and the closing count. */
export function renderTally(tests: readonly TestOutcome[], otherFailures: number): string[] {
  const ran = tests.filter(({ state }) => state === "passed" || state === "failed");
  const skipped = tests.filter(({ state }) => state === "skipped" || state === "pending");
  const lines = [`ran: ${counts(ran.map(placeOf)).join(", ") || "nothing"}`];
  for (const line of counts(skipped.map((test) => `${placeOf(test)} (${reasonOf(test)})`)))
    lines.push(`SKIPPED: ${line}`);
  if (skipped.some(({ skipReason }) => skipReason !== undefined))
    lines.push("SKIPPED: THE SERVER SUITES DID NOT ALL RUN, so that this run proves little.");
  const passed = ran.filter(({ state }) => state === "passed").length;
  const failed = ran.length - passed + otherFailures;
  const skips = skipped.length === 0 ? "" : `, ${skipped.length} skipped`;
  lines.push(`${passed} passed, ${failed} failed${skips}`);
  return lines;
}

function placeOf({ engine, file }: TestOutcome): string {
  if (engine !== undefined) return `on ${engine}`;
  return file.startsWith("test/pglite/") ? "on PGlite" : "without a database";
}

function reasonOf({ skipReason }: TestOutcome): string {
  return skipReason ?? "by a mark in the test";
}

function counts(places: readonly string[]): string[] {
  const tally = new Map<string, number>();
  for (const place of places) tally.set(place, (tally.get(place) ?? 0) + 1);
  return [...tally].sort(([a], [b]) => a.localeCompare(b)).map(([place, n]) => `${n} ${place}`);
}
