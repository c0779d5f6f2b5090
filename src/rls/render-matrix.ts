import { COMMANDS, type RowClass } from "../definition/access.ts";
import type { AccessMatrix } from "./access-matrix.ts";

/**
 * A matrix as a Markdown table: a line for each table, a column for each persona, in each cell the rows by command.
 *
 * Commands that reach the same rows stand together; a cell that is empty reaches none.
 */
export function renderMatrix({ personas, tables, cells }: AccessMatrix): string {
  const head = ["table", ...personas];
  const lines = tables.map(({ table, tenantColumn, appendOnly, unread }) => [
    `\`${table.name}\`${appendOnly ? ", append-only" : ""}${tenantColumn === null ? ", no tenant" : ""}${Object.keys(
      unread,
    )
      .map((column) => `, ${column} unread`)
      .join("")}`,
    ...personas.map((persona) => {
      const own = cells.filter((cell) => cell.table === table && cell.persona === persona);
      const byRows = new Map<string, string[]>();
      for (const command of COMMANDS) {
        const rows = own.find((cell) => cell.command === command)?.rows ?? { kind: "none" };
        if (rows.kind === "none") continue;
        byRows.set(rowsText(rows), [...(byRows.get(rowsText(rows)) ?? []), command]);
      }
      return [...byRows].map(([rows, commands]) => `${commands.join(", ")}: ${rows}`).join("<br>");
    }),
  ]);
  return [head, head.map(() => "---"), ...lines]
    .map((line) => `| ${line.map(cellText).join(" | ")} |`)
    .join("\n");
}

/** A row class in words: `own (student_id)`. */
export function rowsText(rows: RowClass): string {
  switch (rows.kind) {
    case "own":
      return `own (${rows.column})`;
    case "among":
      return `${rows.lookup} (${rows.column})`;
    case "tenant":
      return "the tenant's";
    case "public":
      return "all";
    case "none":
      return "none";
    case "custom":
      return `by hand: ${rows.reason}`;
    case "anyOf":
      return rows.classes.map(rowsText).join(" or ");
  }
}

function cellText(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}
