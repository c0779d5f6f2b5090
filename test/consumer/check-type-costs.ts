import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { ROOT, run } from "./command.ts";
import type { Project } from "./project.ts";

/** What a domain may cost whoever imports it: type instantiations beyond Drizzle's own, and bytes of declarations. A quarter above what was measured. */
const BUDGET: Readonly<
  Record<string, { readonly instantiations: number; readonly bytes: number }>
> = {
  observations: { instantiations: 23_000, bytes: 380_000 },
  "progress-card": { instantiations: 36_000, bytes: 400_000 },
  "project-reports": { instantiations: 33_000, bytes: 690_000 },
  reporting: { instantiations: 24_000, bytes: 310_000 },
  "test-cycles": { instantiations: 36_000, bytes: 600_000 },
  all: { instantiations: 135_000, bytes: 2_270_000 },
};

/** Measures what `tsc` does for an import of each domain and of all; refuses what is over its budget. Times are only printed. */
export function checkTypeCosts(project: Project): void {
  const domains = Object.keys(BUDGET).filter((name) => name !== "all");
  const without = costOf(project, []);
  console.log(`tsc without a domain: ${without.instantiations} instantiations, ${without.time}`);
  const over: string[] = [];
  for (const [name, budget] of Object.entries(BUDGET)) {
    const imported = name === "all" ? domains : [name];
    const found = costOf(project, imported);
    const instantiations = found.instantiations - without.instantiations;
    const bytes = declarationBytes(project, imported);
    const said = `${name}: ${instantiations} instantiations more, ${Math.round(bytes / 1000)} kB of declarations`;
    console.log(`tsc of ${said}, ${found.time}`);
    if (instantiations > budget.instantiations || bytes > budget.bytes) over.push(said);
  }
  if (over.length > 0) throw new Error(`over the budget of types:\n${over.join("\n")}`);
}

interface Cost {
  readonly instantiations: number;
  readonly time: string;
}

/** The rows of every table are asked for, as an application that uses them would. */
function costOf(project: Project, domains: readonly string[]): Cost {
  const lines = domains.flatMap((domain, i) => [
    `import * as d${i} from "underpin/schema/${domain}";`,
    `type Rows${i} = { [K in keyof typeof d${i}]: (typeof d${i})[K] extends PgTable ? (typeof d${i})[K]["$inferInsert"] : never };`,
    `export declare const rows${i}: Rows${i};`,
  ]);
  project.write(
    "cost.mts",
    [
      'import type { PgTable } from "drizzle-orm/pg-core";',
      "export type T = PgTable;",
      ...lines,
    ].join("\n"),
  );
  project.write(
    "tsconfig.cost.json",
    JSON.stringify({
      compilerOptions: {
        module: "nodenext",
        target: "es2022",
        types: ["node"],
        strict: true,
        noEmit: true,
        skipLibCheck: true,
      },
      files: ["cost.mts"],
    }),
  );
  const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  const words = [tsc, "-p", "tsconfig.cost.json", "--extendedDiagnostics"];
  const said = run(process.execPath, words, project.directory);
  const figure = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, "m").exec(said)?.[1] ?? "";
  return { instantiations: Number(figure("Instantiations")), time: figure("Total time") };
}

/** The declarations that an import reads, each once. */
function declarationBytes(project: Project, domains: readonly string[]): number {
  const dist = join(project.directory, "node_modules", "underpin", "dist");
  const read = new Map<string, number>();
  const visit = (file: string): void => {
    if (read.has(file)) return;
    const text = readFileSync(file, "utf8");
    read.set(file, Buffer.byteLength(text));
    for (const [, target = ""] of text.matchAll(/(?:from|import\() ?['"](\.[^'"]+)\.js['"]/g))
      visit(resolve(dirname(file), `${target}.d.ts`));
  };
  for (const domain of domains) visit(join(dist, "schema", domain, "index.d.ts"));
  return [...read.values()].reduce((sum, bytes) => sum + bytes, 0);
}
