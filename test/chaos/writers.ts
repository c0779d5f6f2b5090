import type { Sql } from "postgres";
import { sqlStateOf } from "../../src/errors.ts";
import { randomFrom } from "./random.ts";

/** What a row must hold, as its one writer knows. */
export interface ModelRow {
  readonly shard: number;
  readonly code: string;
  /** The number of the writer's last change. */
  readonly seq: number;
  /** How often the writer added 100 to `v`. */
  readonly hundreds: number;
  readonly name: string;
  /** Whether the writer took the length of the name away, which only a backfill gives back. */
  readonly renamed: boolean;
  /** How many backfills at least, and at most, came to it. */
  readonly from: number;
  readonly to: number;
}

/** Writers at full speed, each with rows of its own, so that it knows what they must hold. */
export interface Writers {
  stop(): Promise<{ readonly rows: readonly ModelRow[]; readonly writes: number }>;
}

/** How often backfills have begun, and how often they have ended. */
export interface Rounds {
  begun: number;
  ended: number;
}

/** Starts a writer on each connection, over its part of the rows that are there. */
export function startWriters(
  connections: readonly Sql[],
  there: readonly Pick<ModelRow, "shard" | "code" | "name">[],
  rounds: Rounds,
  seed: number,
): Writers {
  let stopping = false;
  let writes = 0;
  const parts = connections.map(
    (_, part) =>
      new Map<string, ModelRow>(
        there
          .filter((_row, at) => at % connections.length === part)
          .map((row) => [
            row.code,
            // It is come to by every round; those that have not begun yet are added in the end.
            { ...row, seq: 0, hundreds: 0, renamed: false, from: 0, to: 0 },
          ]),
      ),
  );
  const loops = connections.map(async (sql, part) => {
    const random = randomFrom(seed * 100 + part);
    const mine = parts[part] ?? new Map<string, ModelRow>();
    const codes = [...mine.keys()];
    const pick = () => mine.get(codes[Math.floor(random() * codes.length)] ?? "");
    for (let seq = 1; !stopping; seq++) {
      const kind = random();
      const row = pick();
      if (kind < 0.2 || row === undefined) {
        // Keys among those that are there: before and behind what the workers have reached.
        const code = `${Math.floor(random() * 1e12).toString(36)}-${part}-${seq}`;
        const made = { shard: Math.floor(random() * 4), code, name: `new ${seq}` };
        const { ended } = rounds;
        await sql`INSERT INTO app.t (shard, code, name, seq) VALUES (${made.shard}, ${code}, ${made.name}, ${seq})`;
        const { begun } = rounds;
        mine.set(code, { ...made, seq, hundreds: 0, renamed: true, from: begun, to: ended });
        codes.push(code);
      } else if (kind < 0.3) {
        await sql`DELETE FROM app.t WHERE shard = ${row.shard} AND code = ${row.code}`;
        mine.delete(row.code);
        codes.splice(codes.indexOf(row.code), 1);
      } else if (kind < 0.6) {
        const name = `renamed ${"x".repeat(Math.floor(random() * 30))}`;
        await sql`UPDATE app.t SET name = ${name}, name_length = NULL, seq = ${seq} WHERE shard = ${row.shard} AND code = ${row.code}`;
        mine.set(row.code, { ...row, name, seq, renamed: true });
      } else if (kind < 0.9) {
        await sql`UPDATE app.t SET v = v + 100, seq = ${seq} WHERE shard = ${row.shard} AND code = ${row.code}`;
        mine.set(row.code, { ...row, hundreds: row.hundreds + 1, seq });
      } else await changeTwo(sql, mine, row, pick() ?? row, seq, random() < 0.3);
      writes++;
    }
  });
  return {
    async stop() {
      stopping = true;
      await Promise.all(loops);
      const rows = parts.flatMap((part) => [...part.values()]);
      return { rows, writes };
    },
  };
}

/** Two rows in one transaction that may be taken back, by the writer or, since rows are locked in any order, by the server. */
async function changeTwo(
  sql: Sql,
  mine: Map<string, ModelRow>,
  one: ModelRow,
  other: ModelRow,
  seq: number,
  givesUp: boolean,
): Promise<void> {
  const rows = one.code === other.code ? [one] : [one, other];
  try {
    await sql.begin(async (tx) => {
      for (const { shard, code } of rows)
        await tx`UPDATE app.t SET v = v + 100, seq = ${seq} WHERE shard = ${shard} AND code = ${code}`;
      if (givesUp) throw new Error("given up");
    });
  } catch (error) {
    if (givesUp || sqlStateOf(error) === "40P01") return;
    throw error;
  }
  for (const row of rows) mine.set(row.code, { ...row, hundreds: row.hundreds + 1, seq });
}
