import type postgres from "postgres";

/** What goes on beside a piece of work, as statements. */
export interface Statements {
  /** The same every time but for a number. */
  readonly insert: (n: number) => string;
  readonly update?: (n: number) => string;
  /** Returns the number of rows that never changes, as `rows`. */
  readonly read: string;
}

/** What those who worked beside it met. */
export interface Traffic {
  readonly tookMs: number;
  readonly longestWriteMs: number;
  readonly longestReadMs: number;
  readonly writes: number;
  readonly reads: number;
  /** The fewest and the most rows that a reader counted. */
  readonly fewest: number;
  readonly most: number;
  /** Updates of a row that is there, which found none or failed. */
  readonly lost: number;
}

/** Runs `work` beside one connection that inserts, one that updates and one that counts, each without rest. */
export async function besideTraffic(
  connect: () => postgres.Sql,
  statements: Statements,
  work: () => Promise<unknown>,
): Promise<Traffic> {
  const met = {
    ...{ longestWriteMs: 0, longestReadMs: 0, writes: 0, reads: 0, lost: 0 },
    ...{ fewest: Number.POSITIVE_INFINITY, most: 0 },
  };
  let running = true;
  const beside = async (
    key: "longestWriteMs" | "longestReadMs",
    act: (sql: postgres.Sql, n: number) => Promise<unknown>,
  ) => {
    const sql = connect();
    try {
      await sql`SELECT 1`;
      for (let n = 0; running; n += 1) {
        const began = performance.now();
        await act(sql, n);
        met[key] = Math.max(met[key], performance.now() - began);
      }
    } finally {
      await sql.end();
    }
  };
  const { insert, update, read } = statements;
  const others = [
    beside("longestWriteMs", async (sql, n) => {
      await sql.unsafe(insert(n));
      met.writes += 1;
    }),
    beside("longestReadMs", async (sql) => {
      const [row] = await sql.unsafe<{ rows: number }[]>(read);
      const rows = row?.rows ?? 0;
      met.fewest = Math.min(met.fewest, rows);
      met.most = Math.max(met.most, rows);
      met.reads += 1;
    }),
    ...(update === undefined
      ? []
      : [
          beside("longestWriteMs", async (sql, n) => {
            const count = await sql.unsafe(update(n)).then(
              (result) => result.count,
              () => 0,
            );
            if (count !== 1) met.lost += 1;
            met.writes += 1;
          }),
        ]),
  ];
  try {
    // Until the first statements are through, which plan and warm up.
    await new Promise((resolve) => setTimeout(resolve, 500));
    met.longestWriteMs = 0;
    met.longestReadMs = 0;
    const start = performance.now();
    await work();
    return { ...met, tookMs: performance.now() - start };
  } finally {
    running = false;
    await Promise.all(others);
  }
}
