import { and, constant, not, or, strict, type Expression, type ValueType } from "./expression.ts";
import { extract, FUNCTIONS } from "./functions.ts";
import { patternOf } from "./pattern.ts";
import { tokensOf, type Token } from "./tokens.ts";

/** A check as a question to a row. */
export interface Check {
  /** The names of the columns that it is about. */
  readonly columns: readonly string[];
  /** True and null pass, as in PostgreSQL; only false is a violation. */
  readonly holds: Expression["run"];
}

/**
 * Reads the text of a CHECK, by the precedences of PostgreSQL (manual, §4.1.6). Null where it says something that cannot be
 * told from the row alone, or is not known here.
 */
export function compileCheck(
  sql: string,
  typeOf: (column: string) => ValueType | undefined,
): Check | null {
  const tokens = tokensOf(sql);
  if (tokens === null) return null;
  const columns = new Set<string>();
  const parser: Parser = { tokens, at: 0, columns, typeOf };
  try {
    const found = disjunction(parser);
    if (parser.at < tokens.length || found.type !== "boolean") return null;
    return { columns: [...columns], holds: found.run };
  } catch (error) {
    if (error === NOT_KNOWN) return null;
    throw error;
  }
}

interface Parser {
  readonly tokens: readonly Token[];
  at: number;
  readonly columns: Set<string>;
  readonly typeOf: (column: string) => ValueType | undefined;
}

const NOT_KNOWN = new Error("not known");

function disjunction(parser: Parser): Expression {
  let left = conjunction(parser);
  while (word(parser, "or")) left = or(left, conjunction(parser));
  return left;
}

function conjunction(parser: Parser): Expression {
  let left = negation(parser);
  while (word(parser, "and")) left = and(left, negation(parser));
  return left;
}

function negation(parser: Parser): Expression {
  return word(parser, "not") ? not(negation(parser)) : test(parser);
}

/** `IS`, comparisons, `BETWEEN`, `IN`. */
function test(parser: Parser): Expression {
  let left = comparison(parser);
  while (word(parser, "is")) {
    const turned = word(parser, "not");
    const asked = left;
    if (word(parser, "null")) left = truth((row) => (asked.run(row) === null) !== turned);
    else if (word(parser, "true")) left = truth((row) => (asked.run(row) === true) !== turned);
    else if (word(parser, "false")) left = truth((row) => (asked.run(row) === false) !== turned);
    else throw NOT_KNOWN;
  }
  return left;
}

function comparison(parser: Parser): Expression {
  const left = range(parser);
  for (const operator of ["<=", ">=", "<>", "!=", "<", ">", "="] as const)
    if (sign(parser, operator)) return compared(operator, left, range(parser));
  return left;
}

function range(parser: Parser): Expression {
  const left = matching(parser);
  const before = parser.at;
  const turned = word(parser, "not");
  if (word(parser, "between")) {
    const low = matching(parser);
    expect(word(parser, "and"));
    const found = and(compared(">=", left, low), compared("<=", left, matching(parser)));
    return turned ? not(found) : found;
  }
  if (word(parser, "in")) {
    const found = listed(parser)
      .map((one) => compared("=", left, one))
      .reduce(or);
    return turned ? not(found) : found;
  }
  parser.at = before;
  return left;
}

/** `||`, and `~` and its kin: they bind tighter than a comparison. */
function matching(parser: Parser): Expression {
  let left = sum(parser);
  while (sign(parser, "||")) {
    const right = sum(parser);
    expect([left, right].every(({ type }) => type === "text" || type === "unknown"));
    left = strict("text", [left, right], (a: string, b: string) => a + b);
  }
  for (const operator of ["~", "~*", "!~", "!~*"] as const)
    if (sign(parser, operator)) {
      const pattern = sum(parser);
      const source: unknown = pattern.type === "unknown" ? pattern.run({}) : null;
      const regular = typeof source === "string" ? patternOf(source, operator.endsWith("*")) : null;
      if (regular === null || left.type !== "text") throw NOT_KNOWN;
      const found = strict("boolean", [left], (text: string) => regular.test(text));
      return operator.startsWith("!") ? not(found) : found;
    }
  return left;
}

function sum(parser: Parser): Expression {
  let left = product(parser);
  for (;;) {
    if (sign(parser, "+")) left = counted(left, product(parser), (a, b) => a + b);
    else if (sign(parser, "-")) left = counted(left, product(parser), (a, b) => a - b);
    else return left;
  }
}

function product(parser: Parser): Expression {
  let left = asText(parser);
  while (sign(parser, "*")) left = counted(left, asText(parser), (a, b) => a * b);
  return left;
}

/** `id::text`; a cast to anything else is for the database. */
function asText(parser: Parser): Expression {
  const found = operand(parser);
  if (!sign(parser, "::")) return found;
  expect(word(parser, "text") && (found.type === "text" || found.type === "unknown"));
  return { ...found, type: "text" };
}

function operand(parser: Parser): Expression {
  if (sign(parser, "-")) return counted(constant("number", 0), operand(parser), (a, b) => a - b);
  if (sign(parser, "(")) {
    const inner = disjunction(parser);
    expect(sign(parser, ")"));
    return inner;
  }
  const token = parser.tokens[parser.at];
  if (token === undefined) throw NOT_KNOWN;
  parser.at += 1;
  if (token.kind === "number") return constant("number", Number(token.value));
  if (token.kind === "text") return constant("unknown", token.value);
  if (token.kind === "quoted") return columnNamed(parser, token.value);
  if (token.kind !== "word") throw NOT_KNOWN;
  if (token.value === "case") return caseOf(parser);
  if (token.value === "null") return constant("unknown", null);
  if (token.value === "true" || token.value === "false")
    return constant("boolean", token.value === "true");
  return sign(parser, "(") ? called(parser, token.value) : columnNamed(parser, token.value);
}

function called(parser: Parser, name: string): Expression {
  if (name === "extract") {
    const field = parser.tokens[parser.at];
    parser.at += 1;
    expect(word(parser, "from"));
    const from = disjunction(parser);
    expect(sign(parser, ")"));
    return known(extract(field?.value ?? "", from));
  }
  parser.at -= 1;
  return known(FUNCTIONS[name]?.(listed(parser)) ?? null);
}

function caseOf(parser: Parser): Expression {
  const arms: (readonly [when: Expression, then: Expression])[] = [];
  while (word(parser, "when")) {
    const when = disjunction(parser);
    expect(word(parser, "then"));
    arms.push([when, disjunction(parser)]);
  }
  const otherwise = word(parser, "else") ? disjunction(parser) : constant("unknown", null);
  expect(word(parser, "end") && arms.length > 0);
  return {
    type: arms[0]?.[1].type ?? "unknown",
    run: (row) => (arms.find(([when]) => when.run(row) === true)?.[1] ?? otherwise).run(row),
  };
}

function columnNamed(parser: Parser, name: string): Expression {
  const type = parser.typeOf(name);
  if (type === undefined) throw NOT_KNOWN;
  parser.columns.add(name);
  return { type, run: (row) => row[name] ?? null };
}

function listed(parser: Parser): readonly Expression[] {
  expect(sign(parser, "("));
  const found = [disjunction(parser)];
  while (sign(parser, ",")) found.push(disjunction(parser));
  expect(sign(parser, ")"));
  return found;
}

function compared(
  operator: "=" | "<>" | "!=" | "<" | ">" | "<=" | ">=",
  first: Expression,
  second: Expression,
): Expression {
  const left = asNaN(first, second);
  const right = asNaN(second, first);
  if (left.type === "array" && right.type === "unknown" && right.run({}) === "{}")
    return comparedToEmpty(operator, left);
  const type = left.type === "unknown" ? right.type : left.type;
  const other = right.type === "unknown" ? type : right.type;
  const equality = operator === "=" || operator === "<>" || operator === "!=";
  // The order of texts is the collation's.
  const told =
    type === other &&
    (type === "number" || type === "time" || (equality && (type === "text" || type === "boolean")));
  // A text in quotes beside a number or a time would have to be read as one.
  const quoted = [left, right].some((side) => side.type === "unknown" && side.run({}) !== null);
  if (!told || (quoted && type !== "text")) throw NOT_KNOWN;
  return strict("boolean", [left, right], (a: unknown, b: unknown) => ORDER[operator](a, b));
}

/** `'NaN'` beside a number is the number that has no digits to be written with. */
function asNaN(side: Expression, other: Expression): Expression {
  const isNaN = side.type === "unknown" && other.type === "number" && side.run({}) === "NaN";
  return isNaN ? constant("number", Number.NaN) : side;
}

/** A list beside `'{}'`: one of several dimensions is empty only as a whole. */
function comparedToEmpty(operator: string, left: Expression): Expression {
  expect(operator === "=" || operator === "<>" || operator === "!=");
  const empty = strict("boolean", [left], (values: readonly unknown[]) => values.length === 0);
  return operator === "=" ? empty : not(empty);
}

const ORDER = {
  "=": (a: unknown, b: unknown) => Object.is(a, b) || a === b,
  "<>": (a: unknown, b: unknown) => !ORDER["="](a, b),
  "!=": (a: unknown, b: unknown) => !ORDER["="](a, b),
  "<": (a: unknown, b: unknown) => isLess(a as number, b as number),
  ">": (a: unknown, b: unknown) => isLess(b as number, a as number),
  "<=": (a: unknown, b: unknown) => !isLess(b as number, a as number),
  ">=": (a: unknown, b: unknown) => !isLess(a as number, b as number),
} as const;

/** NaN equals itself and is above every number (manual, §8.1.2). */
function isLess(a: number, b: number): boolean {
  return Number.isNaN(a) ? false : Number.isNaN(b) || a < b;
}

function counted(
  left: Expression,
  right: Expression,
  run: (a: number, b: number) => number,
): Expression {
  expect(left.type === "number" && right.type === "number");
  return strict("number", [left, right], run);
}

function truth(run: Expression["run"]): Expression {
  return { type: "boolean", run };
}

function known(found: Expression | null): Expression {
  if (found === null) throw NOT_KNOWN;
  return found;
}

function expect(holds: boolean): void {
  if (!holds) throw NOT_KNOWN;
}

function word(parser: Parser, value: string): boolean {
  return take(parser, "word", value);
}

function sign(parser: Parser, value: string): boolean {
  return take(parser, "sign", value);
}

function take(parser: Parser, kind: Token["kind"], value: string): boolean {
  const token = parser.tokens[parser.at];
  if (token?.kind !== kind || token.value !== value) return false;
  parser.at += 1;
  return true;
}
