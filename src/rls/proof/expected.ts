import type { AccessData, Command, RowClass } from "../../definition/access.ts";
import type { Identity } from "./asker.ts";
import type { ProvenTable } from "./model.ts";
import type { WorldRow } from "./world.ts";

/** What a context is known to reach, beside what its rows say. */
export interface Known extends Identity {
  /** The ids of each lookup. */
  readonly lookups: ReadonlyMap<string, ReadonlySet<string>>;
  /** For each predicate written by hand, the keys of the rows that meet it, by table. */
  readonly custom: ReadonlyMap<string, ReadonlySet<string>>;
  /** The lookups as they are while a row is not there, by {@link withoutKey}, where a lookup reads the row's table. */
  readonly without: ReadonlyMap<string, Known["lookups"]>;
}

/** The place of a row in {@link Known.without}. */
export function withoutKey(table: ProvenTable, row: Pick<WorldRow, "key">): string {
  return `${table.sql} ${row.key}`;
}

/** What is known while a row is not there: it is inserted again. */
export function knownWithout(known: Known, table: ProvenTable, row: Pick<WorldRow, "key">): Known {
  const lookups = known.without.get(withoutKey(table, row));
  return lookups === undefined ? known : { ...known, lookups };
}

/** The place of a predicate's keys in {@link Known.custom}. */
export function customKey(table: ProvenTable, predicate: string): string {
  return `${table.sql} ${predicate}`;
}

/** The class of rows that a persona has for a command; a table of another access is closed. */
export function classOf(
  table: ProvenTable,
  access: AccessData,
  persona: string,
  command: Command,
): RowClass {
  if (table.rules === null || table.access?.schema !== access.schema) return { kind: "none" };
  return table.rules.rules[command][persona] ?? { kind: "none" };
}

/** Whether the persona's role has the privilege: where one role serves many personas, that of any of them. */
export function isGranted(
  table: ProvenTable,
  access: AccessData,
  persona: string,
  command: Command,
): boolean {
  const role = access.roles[persona];
  return Object.entries(access.roles).some(
    ([each, its]) => its === role && classOf(table, access, each, command).kind !== "none",
  );
}

/** Whether a row is of a class for a context, the floor included: the declared matrix, evaluated here and not in the database. */
export function reaches(
  table: ProvenTable,
  rowClass: RowClass,
  known: Known,
  row: Pick<WorldRow, "key" | "values">,
): boolean {
  const isAbove = table.tenantColumn === null || row.values[table.tenantColumn] === known.tenant;
  return isAbove && isOf(table, rowClass, known, row);
}

function isOf(
  table: ProvenTable,
  rowClass: RowClass,
  known: Known,
  row: Pick<WorldRow, "key" | "values">,
): boolean {
  switch (rowClass.kind) {
    case "none":
      return false;
    case "public":
    case "tenant":
      return true;
    case "own":
      return known.user !== null && row.values[rowClass.column] === known.user;
    case "among": {
      const id = row.values[rowClass.column];
      return id != null && known.lookups.get(rowClass.lookup)?.has(id) === true;
    }
    case "custom":
      return known.custom.get(customKey(table, rowClass.predicate))?.has(row.key) === true;
    case "anyOf":
      return rowClass.classes.some((part) => isOf(table, part, known, row));
  }
}

/** Whether a class can be decided without a context. */
export function needsContext(table: ProvenTable, rowClass: RowClass): boolean {
  if (table.tenantColumn !== null) return true;
  if (rowClass.kind === "public" || rowClass.kind === "tenant") return false;
  return rowClass.kind !== "anyOf" || rowClass.classes.every((part) => needsContext(table, part));
}

/** An answer that lists keys, as the database writes it. */
export function listed(keys: Iterable<string>): string {
  const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return `ok ${sorted.join("\u001f")}`;
}
