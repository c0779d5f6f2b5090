import type { RangeDimension, Scheme } from "../definition/scheme.ts";
import type { Queryable } from "../executor/executor.ts";
import { literal, qualified } from "../sql/quote.ts";
import type { Group, NewPiece, OldPiece, Piece } from "./granularity-groups.ts";
import { keyOf } from "./maintenance/calendar.ts";
import { namesOf } from "./provision-names.ts";
import { scaleOf, wordsOf } from "./range-scale.ts";

/** Leaves of one parent without a gap between them, and how they are to be cut. */
export interface Run {
  readonly parent: string;
  /** What the names of the parent's partitions begin with. */
  readonly stem: string;
  readonly every: RangeDimension["every"];
  readonly old: readonly [OldPiece, ...OldPiece[]];
}

/**
 * The intervals of runs, the first and the last no longer than the run: worked out by the server on the same scale as by the functions of the
 * scheme, in its time zone.
 */
export async function readPieces(
  db: Queryable,
  scheme: Scheme,
  dimension: RangeDimension,
  runs: readonly Run[],
): Promise<readonly (readonly NewPiece[])[]> {
  const found = runs.map((): NewPiece[] => []);
  for (const every of new Set(runs.map((run) => run.every))) {
    const scale = scaleOf(scheme, { ...dimension, every });
    const words = wordsOf(every);
    const [unit, format] = [literal(words.unit), literal(words.format)];
    const length = `${literal(words.length)}::${scale.lengthType}`;
    const asked = runs.flatMap((run, id) =>
      run.every === every
        ? [{ id, lower: run.old[0].lower, upper: (run.old.at(-1) ?? run.old[0]).upper }]
        : [],
    );
    const end = (place: string) => `pg_catalog.btrim(${scale.write(place)}, '''')`;
    const rows = await db.query<{ id: number; lower: string; upper: string; tail: string }>(
      `WITH RECURSIVE run AS (
  SELECT r.id, ${scale.read("r.lower")} AS lower, ${scale.read("r.upper")} AS upper
  FROM pg_catalog.json_to_recordset(${literal(JSON.stringify(asked))}) AS r(id int, lower text, upper text)
), piece AS (
  SELECT id, lower, upper, ${scale.floor("lower", unit, length)} AS at FROM run
  UNION ALL
  SELECT p.id, p.lower, p.upper, ${scale.after("p.at", "1", length)} FROM piece AS p WHERE ${scale.after("p.at", "1", length)} < p.upper
)
SELECT p.id, ${end("greatest(p.at, p.lower)")} AS lower, ${end(`least(${scale.after("p.at", "1", length)}, p.upper)`)} AS upper,
  ${scale.tail("p.at", format)} AS tail
FROM piece AS p ORDER BY p.id, p.at`,
    );
    for (const { id, lower, upper, tail } of rows)
      found[id]?.push({ ...pieceOf(lower, upper), tail });
  }
  return found;
}

/** Ends as text, with the numbers that compare. */
export function pieceOf(lower: string, upper: string): Piece {
  return { lower, upper, from: keyOf({ value: lower }), until: keyOf({ value: upper }) };
}

/** Free names for the new leaves of groups, as the scheme's own function gives them; of an interval that is in two pieces the second has a number. */
export async function readNames(
  db: Queryable,
  scheme: Scheme,
  groups: readonly (Group & { readonly run: Run })[],
): Promise<readonly (readonly string[])[]> {
  const { schema, name } = namesOf(scheme);
  const taken = new Map<string, number>();
  const asked = groups.flatMap((group, at) =>
    group.new.map(({ tail }) => {
      const key = `${group.run.stem}${tail}`;
      const count = (taken.get(key) ?? 0) + 1;
      taken.set(key, count);
      const own = count === 1 ? tail : `${tail}_${count}`;
      return { at, key: `${group.run.parent}/${own}`, stem: group.run.stem, tail: own };
    }),
  );
  const rows = await db.query<{ at: number; name: string }>(
    `SELECT r.at, ${qualified(schema, name)}(r.key, r.stem, r.tail) AS name
FROM pg_catalog.json_to_recordset(${literal(JSON.stringify(asked.map((each, n) => ({ ...each, n }))))}) AS r(n int, at int, key text, stem text, tail text) ORDER BY r.n`,
  );
  return groups.map((_, at) => rows.filter((row) => row.at === at).map((row) => row.name));
}
