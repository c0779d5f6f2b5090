import { ident } from "../sql/quote.ts";

/** How a condition bounds a column: to values that are named, or on one side. */
export type Bounding = "equal" | "ranged";

/**
 * How conditions that all hold bound a column, read from the plan: PostgreSQL prints there what its own parser understood.
 *
 * A comparison with another column prunes at run time at best, and is none here.
 */
export function boundingOf(conditions: readonly string[], column: string): Bounding | null {
  const name = `(?:${[column, ident(column)].map(escaped).join("|")})`;
  const compared = new RegExp(
    `^\\(*(?:(?:\\w+|"(?:[^"]|"")+")\\.)?${name}\\)*(?:::[\\w ]+(?:\\(\\d+\\))?)?\\)* (=|<|<=|>|>=) (.+)$`,
  );
  let found: Bounding | null = null;
  for (const conjunct of conditions.flatMap(conjuncts)) {
    if (isAlternative(conjunct)) continue;
    const [, operator, value = ""] = compared.exec(conjunct) ?? [];
    if (operator === undefined || isColumn(value)) continue;
    if (operator === "=") return "equal";
    found = "ranged";
  }
  return found;
}

/** The parts of a condition that stand between its outermost ANDs. */
export function conjuncts(condition: string): readonly string[] {
  const text = unwrapped(condition);
  const parts: string[] = [];
  let from = 0;
  walk(text, (at, depth) => {
    if (depth === 0 && text.startsWith(" AND ", at)) {
      parts.push(text.slice(from, at));
      from = at + " AND ".length;
    }
  });
  parts.push(text.slice(from));
  return parts.length === 1 ? [text] : parts.flatMap(conjuncts);
}

function unwrapped(text: string): string {
  if (!text.startsWith("(") || !text.endsWith(")")) return text;
  let closes = -1;
  walk(text, (at, depth) => {
    if (closes === -1 && at > 0 && depth === 0) closes = at;
  });
  // The first bracket closes at the end: both belong to the whole.
  return closes === -1 || closes === text.length ? unwrapped(text.slice(1, -1)) : text;
}

/** Visits each place outside of quotes with the brackets that are open before it. */
function walk(text: string, visit: (at: number, depth: number) => void): void {
  let depth = 0;
  let quote: string | null = null;
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (quote !== null) {
      if (character === quote) quote = null;
      continue;
    }
    visit(at, depth);
    if (character === "'" || character === '"') quote = character;
    else if (character === "(") depth++;
    else if (character === ")") depth--;
  }
}

/** `other.column`, as a join compares, also inside an expression; a value is a literal, a parameter or a call. */
function isColumn(value: string): boolean {
  const bare = value.replaceAll(/'(?:[^']|'')*'/g, "?");
  return /(?<!::)(?<![\w".])(?:\w+|"(?:[^"]|"")+")\.(?:\w+|"(?:[^"]|"")+")(?![\w"(])/.test(bare);
}

/** One of several conditions need not hold. */
function isAlternative(conjunct: string): boolean {
  let found = false;
  walk(conjunct, (at, depth) => {
    found ||= depth === 0 && conjunct.startsWith(" OR ", at);
  });
  return found;
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

/** A scan in a plan. */
export interface PlannedScan {
  readonly schema: string;
  readonly relation: string;
  /** All of them hold for the rows that it returns. */
  readonly conditions: readonly string[];
}

/** The scans of what `EXPLAIN (VERBOSE, FORMAT JSON)` returned. */
export function scansOf(plan: unknown): readonly PlannedScan[] {
  if (Array.isArray(plan)) return plan.flatMap(scansOf);
  if (typeof plan !== "object" || plan === null) return [];
  const node = plan as Readonly<Record<string, unknown>>;
  const text = (key: string) => (typeof node[key] === "string" ? [node[key]] : []);
  const [relation] = text("Relation Name");
  const own =
    // What writes has its rows from the scans below it.
    relation === undefined || node["Node Type"] === "ModifyTable"
      ? []
      : [
          {
            schema: text("Schema")[0] ?? "",
            relation,
            conditions: [
              ...text("Index Cond"),
              ...text("Recheck Cond"),
              ...text("Filter"),
              // A bitmap's condition stands in the nodes below it.
              ...bitmapConditions(node["Plans"]),
            ],
          },
        ];
  return [...own, ...scansOf(node["Plans"]), ...scansOf(node["Plan"])];
}

function bitmapConditions(plans: unknown): readonly string[] {
  if (!Array.isArray(plans)) return [];
  return plans.flatMap((plan: unknown) => {
    const node = plan as Readonly<Record<string, unknown>>;
    if (node["Node Type"] === "Bitmap Index Scan" && typeof node["Index Cond"] === "string")
      return [node["Index Cond"]];
    return node["Node Type"] === "BitmapAnd" ? bitmapConditions(node["Plans"]) : [];
  });
}
