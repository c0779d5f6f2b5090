/**
 * `npm run examples [NN …]`: runs the examples in order, each as a process of its own, and compares what it prints with its
 * `expected.txt`. `npm run examples -- --update` writes those.
 *
 * What differs from run to run (times, rates) an example prints to stderr.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = fileURLToPath(new URL(".", import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { update: { type: "boolean", short: "u", default: false } },
});
const asked = readdirSync(here)
  .filter((name) => existsSync(join(here, name, "main.ts")))
  .filter((name) => positionals.length === 0 || positionals.some((each) => name.startsWith(each)))
  .sort();
if (asked.length === 0) {
  console.error(`there is no example ${positionals.join(", ")}`);
  process.exit(2);
}
const failed = asked.filter((name) => !runs(name));
console.log(`${asked.length - failed.length} of ${asked.length} examples do what they say`);
process.exitCode = failed.length === 0 ? 0 : 1;

function runs(name: string): boolean {
  console.log(`\n== ${name}`);
  const began = performance.now();
  const { status, stdout } = spawnSync("npx", ["jiti", join(here, name, "main.ts")], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    cwd: join(here, ".."),
  });
  console.log(stdout.trimEnd());
  const file = join(here, name, "expected.txt");
  if (values.update && status === 0) writeFileSync(file, stdout);
  const isAsExpected = existsSync(file) && readFileSync(file, "utf8") === stdout;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const verdict =
    status === 0 ? (isAsExpected ? "as expected" : "NOT what expected.txt says") : "FAILED";
  console.log(`== ${name}: ${verdict}, ${seconds} s`);
  return status === 0 && isAsExpected;
}
