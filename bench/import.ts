import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import type { Bench } from "./bench.ts";
import { figure } from "./figure.ts";
import { sample } from "./measure.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const ROUNDS = 21;
const run = promisify(execFile);

/** What importing an entry costs over `drizzle-orm/pg-core`, which every schema imports: each reading is a process of its own. */
export const bench: Bench = async ({ say }) => {
  const entries = entriesOf().filter(([name]) => /^\.\/(?:rls|schema\/[^/]+)$/.test(name));
  const files = [["drizzle-orm/pg-core", "drizzle-orm/pg-core"] as const, ...entries];
  const taken = new Map(files.map(([name]) => [name, [] as number[]]));
  for (let round = 0; round < ROUNDS; round++) {
    if (round % 5 === 0) say(`round ${round + 1} of ${ROUNDS}`);
    for (const [name, file] of files) taken.get(name)?.push(await milliseconds(file));
  }
  const alone = sample(taken.get("drizzle-orm/pg-core") ?? []).median;
  return entries.map(([name]) =>
    figure({
      what: `${name.replace(".", "underpin")}, over drizzle-orm/pg-core alone (${alone.toFixed(0)} ms)`,
      ours: sample((taken.get(name) ?? []).map((ms) => ms - alone)),
      target: { of: "ours", atMost: 15 },
    }),
  );
};

/** Each entry with the file that was built for it. */
function entriesOf(): readonly (readonly [name: string, file: string])[] {
  const { exports } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")) as {
    readonly exports: Readonly<
      Record<string, string | { readonly import?: { readonly default: string } }>
    >;
  };
  return Object.entries(exports).flatMap(([name, entry]) => {
    const file = typeof entry === "string" ? undefined : entry.import?.default;
    if (file === undefined) return [];
    if (!existsSync(`${ROOT}${file}`))
      throw new Error(`${file} is not built: npm run build:js, then again`);
    return [[name, pathToFileURL(`${ROOT}${file}`).href] as const];
  });
}

async function milliseconds(file: string): Promise<number> {
  const code = `const start = performance.now(); await import(${JSON.stringify(file)}); console.log(performance.now() - start);`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", code], {
    cwd: ROOT,
  });
  return Number(stdout);
}
