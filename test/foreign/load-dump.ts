import { readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import postgres from "postgres";

/** Runs a plain dump of pg_dump: its statements, and the rows of its COPY blocks. */
export async function loadDump(url: string, file: string): Promise<void> {
  const text = await readFile(file, "utf8");
  // Dumps set the session, search_path among it: a connection of its own.
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    const copies = /^(COPY [^;]* FROM stdin);\n([\s\S]*?)^\\\.$/gm;
    let from = 0;
    for (const found of text.matchAll(copies)) {
      await run(sql, text.slice(from, found.index));
      const [whole, statement = "", rows = ""] = found;
      from = found.index + whole.length;
      await pipeline(Readable.from([rows]), await sql.unsafe(statement).writable());
    }
    await run(sql, text.slice(from));
  } finally {
    await sql.end();
  }
}

async function run(sql: postgres.Sql, statements: string): Promise<void> {
  // What psql alone understands.
  const plain = statements.replace(/^\\.*$/gm, "");
  if (plain.trim() !== "") await sql.unsafe(plain);
}
