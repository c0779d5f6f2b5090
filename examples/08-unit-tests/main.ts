import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL(".", import.meta.url));
const { stdout, status } = spawnSync(
  "npx",
  ["vitest", "run", "--root", root, "--config", `${root}vitest.config.ts`, "--reporter", "json"],
  { encoding: "utf8" },
);
interface Ran {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}
const { testResults } = JSON.parse(stdout) as Ran;
for (const { fullName, status: became } of testResults.flatMap((each) => each.assertionResults))
  console.log(`${fullName}: ${became}`);
process.exitCode = status ?? 1;
