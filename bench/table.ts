import type { Figure, Target } from "./figure.ts";

/** Figures as a table for a terminal, and a line for each target that is missed. */
export function renderTable(figures: readonly Figure[]): string {
  const head = ["", "ours", "theirs", "unit", "ratio", "target"];
  const rows = figures.map((figure) => [
    figure.what,
    reading(figure.ours, figure.spread.ours),
    figure.theirs === null ? "–" : reading(figure.theirs, figure.spread.theirs),
    figure.unit,
    figure.ratio === null ? "–" : `${number(figure.ratio)}×`,
    figure.target === null ? "–" : `${renderTarget(figure)} ${figure.met ? "met" : "MISSED"}`,
  ]);
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd();
  const missed = figures
    .filter(({ met }) => met === false)
    .map((figure) => `TARGET MISSED: ${figure.what}: ${renderTarget(figure)}`);
  return [line(head), ...rows.map(line), ...missed].join("\n");
}

function renderTarget({ target, unit }: Pick<Figure, "unit"> & { readonly target: Target | null }) {
  if (target === null) return "";
  return target.of === "ours"
    ? `≤ ${number(target.atMost)} ${unit}`
    : `≥ ${number(target.atLeast)}×`;
}

function reading(value: number, spread: readonly [number, number] | null): string {
  return spread === null
    ? number(value)
    : `${number(value)} (${number(spread[0])} – ${number(spread[1])})`;
}

function number(value: number): string {
  return value >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toPrecision(3);
}
