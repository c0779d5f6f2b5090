import type { Scheme } from "../definition/scheme.ts";
import { hashPlan } from "../plan/hash.ts";
import type { Lock, Plan, SqlStep, Undo } from "../plan/step.ts";
import { literal, qualified } from "../sql/quote.ts";
import { LEAVES_PER_COMMIT, windowNames } from "./provision-body.ts";
import { namesOf } from "./provision-names.ts";
import { argumentList, type Survey, type SurveyedPartition } from "./survey.ts";

/**
 * The plan that makes what a survey found missing: one step for each set of values, and one more for each further twenty leaves. Without
 * steps where nothing is missing.
 *
 * ATTACH takes SHARE UPDATE EXCLUSIVE on the parent, and with foreign keys SHARE ROW EXCLUSIVE on the tables that they point to: their writers wait
 * for the milliseconds of one transaction, readers and the writers of the partitioned table do not (15 and 18).
 */
export function planProvision(
  scheme: Scheme,
  surveys: readonly Survey[],
  attempt: number | undefined = undefined,
): Plan {
  const made = new Set<string>();
  const steps = surveys.flatMap((survey) => stepsOf(scheme, survey, made));
  const { schema, table } = namesOf(scheme);
  const unnamed: Plan = { format: 1, name: "provision", steps };
  const minute = surveys[0]?.minute ?? "";
  const name = `provision-${schema}.${table}-${minute}-${hashPlan(unnamed).slice(0, 8)}`;
  return { ...unnamed, name: attempt === undefined ? name : `${name}-${attempt}` };
}

/** Leaves that one step makes, with what is above each of them. */
interface Chunk {
  readonly leaves: readonly SurveyedPartition[];
  readonly created: ReadonlySet<string>;
  /** Where something is attached. */
  readonly parents: ReadonlySet<string>;
  /** What is above those, whose bounds ATTACH reads. */
  readonly ancestors: ReadonlySet<string>;
}

function stepsOf(scheme: Scheme, survey: Survey, made: Set<string>): readonly SqlStep[] {
  const { schema, table, provision } = namesOf(scheme);
  const values = Object.values(survey.values).join(" ");
  const window = windowNames(scheme);
  return chunksOf(survey, made).map((chunk, index): SqlStep => {
    const starts = chunk.leaves.flatMap((leaf) => (leaf.starts === null ? [] : [leaf.starts]));
    const [from, until] = [starts[0], starts.at(-1)];
    const asked = {
      ...survey.values,
      ...(window === undefined || from === undefined || until === undefined
        ? {}
        : { [window.from]: from, [window.until]: until }),
    };
    const onParents = (mode: Lock["mode"]): readonly Lock[] =>
      [...chunk.parents].flatMap((name): Lock[] => {
        const other = survey.defaults[name];
        return [
          { schema, name, mode },
          ...(other === undefined
            ? []
            : [{ schema, name: other, mode: "accessExclusive" } as const]),
        ];
      });
    const of = values === "" ? table : values;
    return {
      kind: "sql",
      id: index === 0 ? of : `${of} ${index + 1}`,
      title: `Make ${chunk.leaves.length} missing partition${chunk.leaves.length === 1 ? "" : "s"} of ${table}${values === "" ? "" : ` for ${values}`}`,
      sql: `SELECT ${qualified(schema, provision)}(${argumentList(asked)})`,
      locks: [
        ...onParents("shareUpdateExclusive"),
        ...[...chunk.ancestors].map((name): Lock => ({ schema, name, mode: "accessShare" })),
        ...survey.related.map((relation): Lock => ({ ...relation, mode: "shareRowExclusive" })),
      ],
      creates: newLocks(chunk, survey),
      transaction: "commitAfter",
      undo: takeBack(
        scheme,
        survey,
        asked,
        [
          ...onParents("accessExclusive"),
          ...[...chunk.created].map((name): Lock => ({ schema, name, mode: "accessExclusive" })),
        ],
        chunk.created.size * survey.indexes,
      ),
    };
  });
}

/**
 * Entries in the lock table beside the declared ones: what is made, and the indexes of the parents and the keys that foreign keys point to, which ATTACH
 * locks too. It reads the ancestors without their indexes, which count with an ACCESS SHARE since 16.
 */
function newLocks({ created, parents, ancestors }: Chunk, survey: Survey): number {
  const { indexes, related, versionNum } = survey;
  const counted = versionNum >= 160_000 ? ancestors.size : 0;
  return created.size * (1 + indexes) + (parents.size - counted) * indexes + related.length;
}

/** Twenty leaves at a time, in the order in which the provision function makes them. */
function chunksOf({ table, partitions }: Survey, made: Set<string>): readonly Chunk[] {
  const chunks: {
    leaves: SurveyedPartition[];
    created: Set<string>;
    parents: Set<string>;
    ancestors: Set<string>;
  }[] = [];
  const path: SurveyedPartition[] = [];
  const isMade = (partition: SurveyedPartition) => partition.isThere || made.has(partition.name);
  for (const partition of partitions) {
    path.length = partition.level - 1;
    path.push(partition);
    if (!partition.isLeaf || isMade(partition)) continue;
    let chunk = chunks.at(-1);
    if (chunk === undefined || chunk.leaves.length === LEAVES_PER_COMMIT) {
      chunk = { leaves: [], created: new Set(), parents: new Set(), ancestors: new Set() };
      chunks.push(chunk);
    }
    chunk.leaves.push(partition);
    const first = path.findIndex((each) => !isMade(each));
    const above = path[first - 1]?.name ?? table.name;
    if (!chunk.created.has(above)) {
      chunk.parents.add(above);
      const over = [table.name, ...path.slice(0, first).map(({ name }) => name)].slice(0, -1);
      for (const name of over) chunk.ancestors.add(name);
    }
    for (const each of path.slice(first)) {
      chunk.created.add(each.name);
      made.add(each.name);
    }
  }
  return chunks;
}

/**
 * Drops what the step made, as far as it is empty, under the lock of its parent first, as a writer takes them.
 *
 * Emptiness is the size of the file: row security hides rows from the owner, and a file of no bytes holds none, not even one that is being
 * written.
 */
function takeBack(
  scheme: Scheme,
  { partitions }: Survey,
  asked: Readonly<Record<string, string>>,
  locks: readonly Lock[],
  indexes: number,
): Undo {
  const { schema, survey } = namesOf(scheme);
  const kept = partitions.flatMap(({ isThere, name }) =>
    isThere ? [`pg_catalog.to_regclass(${literal(qualified(schema, name))})::oid`] : [],
  );
  return {
    kind: "statement",
    sql: `DO $take_back$
DECLARE
  v record;
  v_dropped integer := 0;
BEGIN
  FOR v IN
    SELECT s.part, s.leaf, s.parent FROM ${qualified(schema, survey)}(${argumentList(asked)}) AS s
    WHERE s.part IS NOT NULL AND NOT s.part::oid = ANY (ARRAY[${kept.join(", ")}]::oid[])
    ORDER BY s.level DESC, s.part
  LOOP
    CONTINUE WHEN EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = v.part);
    CONTINUE WHEN v.leaf AND v_dropped >= ${LEAVES_PER_COMMIT};
    IF pg_catalog.pg_relation_size(v.part) = 0 THEN
      EXECUTE pg_catalog.format('LOCK TABLE ONLY %s, ONLY %s IN ACCESS EXCLUSIVE MODE', v.parent, v.part);
    END IF;
    IF pg_catalog.pg_relation_size(v.part) > 0 THEN
      RAISE WARNING '% has rows by now, and is kept', v.part;
    ELSE
      EXECUTE pg_catalog.format('DROP TABLE %s', v.part);
      v_dropped := v_dropped + v.leaf::integer;
    END IF;
  END LOOP;
END
$take_back$`,
    locks,
    // It creates none: these are the indexes that go with what it drops, each a lock too.
    creates: indexes,
    transaction: "commitAfter",
    residue: "partitions that have rows by then",
  };
}
