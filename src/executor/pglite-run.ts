import { sqlStateOf, toError } from "../errors.ts";
import type { Parameter, Row } from "./executor.ts";
import { noConnection } from "./lost.ts";
import { refuseForPglite } from "./pglite-guard.ts";
import { statements } from "./pglite-scan.ts";
import { breakPglite, type PgliteState } from "./pglite-state.ts";
import { toRows, toTexts } from "./values.ts";

/** What runs statements: a PGlite or one of its transactions. */
export interface PgliteQueryable {
  query(text: string, parameters: unknown[], options: QueryOptions): Promise<PgliteResult>;
  exec(text: string, options: QueryOptions): Promise<readonly PgliteResult[]>;
}

interface QueryOptions {
  readonly rowMode: "array";
  readonly parsers: Record<number, (text: string) => string>;
  readonly serializers: Record<number, (value: unknown) => string>;
}

interface PgliteResult {
  readonly rows: unknown[];
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
  /** Missing where nothing was executed. */
  readonly command?: string;
  readonly affectedRows?: number;
}

/** Text in and text out, for every type: no parser or serialiser of the PGlite itself is used. */
function asText(parsers: object): QueryOptions {
  return {
    rowMode: "array",
    // PGlite (0.5) lays these over its own by their keys, so they need the very keys that it has by now.
    parsers: new Proxy(parsers, { get: () => (text: string) => text }) as QueryOptions["parsers"],
    serializers: new Proxy({}, { get: () => (value: unknown) => String(value) }),
  };
}

const FIELDS_TO_DROP = new Set(["length", "query", "params", "queryOptions"]);

/** Runs a text on a PGlite or its transaction behind the guards, and returns the rows of the last result that has some. */
export async function runOnPglite(
  state: PgliteState,
  on: PgliteQueryable,
  text: string,
  parameters: readonly Parameter[],
): Promise<readonly Row[]> {
  if (state.broken !== undefined) throw state.broken;
  refuseForPglite(text, parameters);
  const values = toTexts(parameters);
  const options = asText(state.parsers);
  let results: readonly PgliteResult[];
  try {
    results =
      values.length === 0
        ? await on.exec(text, options)
        : [await on.query(text, [...values], options)];
  } catch (error) {
    throw failureOf(state, error, text);
  }
  refuseLostStatement(state, results, text);
  for (const result of results) state.written += weightOf(result);
  const last = results.findLast(({ fields }) => fields.length > 0);
  const columns = (last?.fields ?? []).map(({ name, dataTypeID }) => ({ name, type: dataTypeID }));
  return toRows(columns, (last?.rows ?? []) as readonly (readonly (string | null)[])[]);
}

/**
 * When WebAssembly runs out of stack, PGlite (0.5) answers as if nothing had been asked: no error, and fewer command tags
 * than statements.
 */
function refuseLostStatement(
  state: PgliteState,
  results: readonly PgliteResult[],
  text: string,
): void {
  const answered = results.filter(({ command }) => command !== undefined).length;
  // One answer to one statement needs no scan.
  if (answered === 1 && !text.includes(";")) return;
  if (answered < statements(text).length)
    throw breakPglite(state, `it lost a statement of ${shown(text)}`);
}

/** Weight of a change for {@link PgliteState.written}: a command other than DML may write a whole table. */
function weightOf({ command, affectedRows = 0 }: PgliteResult): number {
  return command === "SELECT" ? 0 : affectedRows > 0 ? 1 + affectedRows / 256 : 8;
}

/** What WebAssembly and V8 throw when an instance is broken inside. */
const BROKEN = new Set(["RuntimeError", "ExitStatus", "RangeError"]);

/**
 * A rejection of PGlite as an error of our own: thrown from its minified source, an uncaught one makes Node print a line of
 * hundreds of kilobytes.
 */
export function failureOf(state: PgliteState, error: unknown, text: string): unknown {
  const { name, message } = toError(error);
  const sqlState = sqlStateOf(error);
  // PGlite's statements have no names: that one is missing means that it was lost.
  const isLost = sqlState === "26000" && message.startsWith("unnamed prepared statement");
  if (BROKEN.has(name) || isLost)
    return breakPglite(state, `it failed with ${name} "${message.slice(0, 80)}" in ${shown(text)}`);
  if (sqlState === undefined) return noConnection(new Error(message));
  const fields = Object.entries(error as object).filter(
    ([key, value]) => value !== undefined && !FIELDS_TO_DROP.has(key),
  );
  return Object.assign(new Error(message), Object.fromEntries(fields));
}

function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
