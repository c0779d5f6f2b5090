import type { DatabaseObject } from "../../src/objects/object.ts";

/** What both drizzle-kit and our objects make of the same Drizzle values. */
const HEADS: readonly RegExp[] = [
  /^create schema (?:if not exists )?(NAME)/,
  /^create type (?:(NAME)\.)?(NAME) as enum/,
  /^create sequence (?:(NAME)\.)?(NAME)/,
  /^create table (?:(NAME)\.)?(NAME) \(/,
  /^alter table (?:(NAME)\.)?(NAME) (enable row level security)/,
  /^alter table (?:(NAME)\.)?(NAME) (add constraint) (NAME) foreign key/,
  /^create (?:unique )?(index) (NAME) on (?:(NAME)\.)?(NAME)/,
  /^create (?:materialized )?view (?:(NAME)\.)?(NAME)/,
  /^create policy (NAME) on (?:(NAME)\.)?(NAME)/,
].map((head) => new RegExp(head.source.replaceAll("NAME", '"(?:[^"]|"")+"'), "i"));

/** What a statement makes, in one form, or undefined where drizzle-kit has no word for it. */
function madeBy(statement: string): string | undefined {
  const bare = statement
    .trim()
    .replace(/^DO \$\$\s+BEGIN\s+IF NOT EXISTS .* THEN (?=CREATE SCHEMA)/, "");
  for (const [i, head] of HEADS.entries()) {
    const found = head.exec(bare);
    if (found !== null)
      return [i, ...found.slice(1).map((part) => part?.toLowerCase() ?? '"public"')].join(" ");
  }
  return undefined;
}

/** One statement in the merged order: of drizzle-kit where it has one, else ours. */
export interface MergedStatement {
  readonly sql: string;
  readonly from: "drizzle-kit" | "underpin";
}

/**
 * Our objects in their order, with the statements of drizzle-kit in the place of ours for everything that it makes.
 *
 * Throws where one of the two has a statement that the other lacks. drizzle-kit knows no partitions: their clause is ours.
 */
export function merged(
  objects: readonly DatabaseObject[],
  statements: readonly string[],
): readonly MergedStatement[] {
  const theirs = new Map<string, string>();
  for (const statement of statements) {
    const made = madeBy(statement);
    if (made === undefined) throw new Error(`no object of ours is like ${statement}`);
    if (theirs.has(made)) throw new Error(`drizzle-kit makes ${made} twice`);
    theirs.set(made, statement.trim().replace(/;$/, ""));
  }
  const both = objects.map(({ create, kind }): MergedStatement => {
    const made = BUILT_BY_KIT.has(kind) ? madeBy(create) : undefined;
    const statement = made === undefined ? undefined : theirs.get(made);
    if (made === undefined || statement === undefined) return { sql: create, from: "underpin" };
    theirs.delete(made);
    const partitions = /\) (PARTITION BY [^\n]+)$/.exec(create)?.[1];
    // Ours marks the schema that it makes.
    if (kind === "schema") return { sql: create, from: "drizzle-kit" };
    const sql = partitions === undefined ? statement : `${statement} ${partitions}`;
    return { sql, from: "drizzle-kit" };
  });
  if (theirs.size > 0) throw new Error(`we make nothing like ${[...theirs.keys()].join(", ")}`);
  return both;
}

const BUILT_BY_KIT: ReadonlySet<string> = new Set([
  "schema",
  "type",
  "sequence",
  "table",
  "rowSecurity",
  "constraint",
  "index",
  "view",
  "materializedView",
  "policy",
]);
