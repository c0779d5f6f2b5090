import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { VERBS } from "../../src/cli/verbs.ts";
import { VERSION } from "../../src/cli/version.ts";
import { hashPlan } from "../../src/plan/hash.ts";
import { createIndex } from "../../src/recipes/create-index.ts";
import { setNotNull } from "../../src/recipes/set-not-null.ts";
import { expectRefusal, useCli } from "../support/cli.ts";

const cli = useCli();
const notNull = setNotNull({ table: "users", column: "email" });
const root = new URL("../../", import.meta.url);
const source = (path: string) => JSON.stringify(new URL(path, root).pathname);

describe("the command line's own words", () => {
  it("says what it is, and which verbs there are", async () => {
    const { code, stdout } = await cli.run(["--help"]);
    expect(code).toBe(0);
    for (const { name } of VERBS) expect(stdout).toContain(`\n  ${name}`);
  });

  it("ends with 2 when nothing was asked, and prints the help", async () => {
    const { code, stdout } = await cli.run([]);
    expect(stdout).toContain("Usage: underpin VERB");
    expect(code).toBe(2);
  });

  it.each(VERBS.map(({ name }) => name))("explains %s", async (name) => {
    const { code, stdout } = await cli.run([name, "--help"]);
    expect(stdout).toMatch(new RegExp(`^Usage: underpin ${name}`));
    expect(stdout).toContain("--json");
    expect(code).toBe(0);
  });

  it("has the version of package.json", async () => {
    const { version } = JSON.parse(readFileSync(new URL("package.json", root), "utf8")) as {
      version: string;
    };
    expect(VERSION).toBe(version);
    expect((await cli.run(["--version"])).stdout).toBe(`${version}\n`);
  });

  it("is the same in docs/cli.md", async () => {
    const page = readFileSync(new URL("docs/cli.md", root), "utf8");
    const block = (text: string) => `\`\`\`text\n${text.trimEnd()}\n\`\`\``;
    expect(page, "paste it anew: node dist/cli/main.js --help").toContain(
      block((await cli.run(["--help"])).stdout),
    );
    for (const { name } of VERBS)
      expect(page, `paste it anew: node dist/cli/main.js ${name} --help`).toContain(
        block((await cli.run([name, "--help"])).stdout),
      );
  });
});

describe("a command line that cannot be meant", () => {
  it.each([
    { args: ["aply", "x"], message: /no verb "aply"/, hint: /Did you mean "underpin apply"/ },
    { args: ["frobnicate"], message: /no verb "frobnicate"/, hint: /The verbs: .*plan, .*apply/ },
    { args: ["--json", "runs"], message: /the verb comes first/, hint: /underpin --help/ },
    { args: ["apply"], message: /apply needs FILE/, hint: /Usage: underpin apply FILE/ },
    { args: ["confirm", "a"], message: /confirm needs GATE/, hint: /confirm NAME GATE/ },
    { args: ["apply", "a", "b"], message: /what to do with "b"/, hint: /Usage/ },
    { args: ["apply", "a", "--lock-timeout=3"], message: /no option/, hint: /--lock-timeout-ms/ },
    { args: ["runs", "--frob"], message: /no option '?--frob/, hint: /underpin runs --help/ },
    { args: ["runs", "--url"], message: /--url/, hint: /underpin runs --help/ },
    { args: ["runs"], message: /no database was named/, hint: /DATABASE_URL/ },
  ])("refuses $args", async ({ args, message, hint }) => {
    expectRefusal(await cli.run(args), { code: 2, message, hint });
  });

  it.each([
    { args: ["--lock-timeout-ms", "soon"], message: /--lock-timeout-ms is "soon"/ },
    { args: ["--lease-ms", "0"], message: /--lease-ms is "0"/ },
    { args: ["--when-busy", "maybe"], message: /--when-busy is "maybe"/ },
    { args: ["--run-schema", ""], message: /--run-schema is empty/ },
    { args: ["--format", "sql"], message: /--format is for --dry-run/ },
    { args: ["--dry-run", "--format", "yaml"], message: /--format is "yaml"/ },
  ])("refuses apply with $args", async ({ args, message }) => {
    const file = cli.planFile(notNull);
    const ended = await cli.run(["apply", file, "--url", "memory:", ...args]);
    expectRefusal(ended, { code: 2, message, hint: /./ });
  });

  it("answers with one JSON document where JSON was asked for", async () => {
    const { code, stdout } = await cli.run(["runs", "--json", "--frob"]);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "invalidInput" } });
    expect(code).toBe(2);
  });
});

describe("a URL with a typo", () => {
  const secret = "s3cret";
  it.each([
    {
      url: `postgress://u:${secret}@h/d`,
      message: /"postgress:"/,
      hint: /Did you mean "postgres:"/,
    },
    { url: `mysql://u:${secret}@h/d`, message: /"mysql:"/, hint: /postgres:\/\/user@host/ },
    { url: `postgres:/u:${secret}@h/d`, message: /two slashes/, hint: /postgres:\/\/user/ },
    { url: `postgres://u:${secret}#1@h/d`, message: /can be read/, hint: /%23/ },
    { url: `postgres://u:1${secret}/2@h/d`, message: /can be read/, hint: /%2F/ },
    { url: `postgres://u:12#${secret}@h/d`, message: /can be read/, hint: /%23/ },
    { url: `postgres://u:12/${secret}@h/d`, message: /can be read/, hint: /%2F/ },
    { url: `postgres://u:12?${secret}@h/d`, message: /can be read/, hint: /%3F/ },
    { url: `postgres://u:%${secret}@h/d`, message: /can be read/, hint: /%25/ },
    { url: `postgres://u:${secret}@h:port/d`, message: /can be read/, hint: /%40/ },
    { url: "localhost/d", message: /not a database URL/, hint: /postgres:\/\// },
    { url: " ", message: /is empty/, hint: /postgres:\/\// },
    { url: "pglite:", message: /names no directory/, hint: /pglite:\.\/directory/ },
    { url: "pglite:./no-such-directory", message: /no directory/, hint: /mkdir -p/ },
    { url: "pglite:./src", message: /no PGlite database/, hint: /data directory/ },
    { url: "pglite:./package.json", message: /not a directory/, hint: /directory/ },
  ])("is refused without its password: $url", async ({ url, message, hint }) => {
    for (const ended of [
      await cli.run(["runs", "--url", url]),
      await cli.run(["runs"], { DATABASE_URL: url }),
    ]) {
      expectRefusal(ended, { code: 2, message, hint });
      expect(`${ended.stdout}${ended.stderr}`).not.toContain(secret);
    }
  });
});

describe("a plan file", () => {
  it("may be JSON, as plan --format json prints it", async () => {
    const { stdout } = await cli.run(["plan", cli.planFile(notNull), "--json"]);
    const again = await cli.run(["plan", cli.file("again.json", stdout), "--format", "json"]);
    expect(again.stdout).toBe(stdout);
    expect(JSON.parse(stdout)).toEqual({ ...notNull, hash: hashPlan(notNull) });
  });

  it("may be TypeScript with imports that have no ending", async () => {
    cli.file("names.ts", `export enum Names { table = "users" }`);
    const file = cli.file(
      "typed.ts",
      `import { setNotNull } from ${source("src/recipes/set-not-null.ts")};
       import { Names } from "./names";
       const column: string = "email";
       export default setNotNull({ table: Names.table, column });`,
    );
    const { code, stdout } = await cli.run(["plan", file]);
    expect(stdout).toContain(`hash ${hashPlan(notNull)}`);
    expect(code).toBe(0);
  });

  it.each([
    ["default.mjs", (plan: string) => `export default ${plan}`],
    ["named.mjs", (plan: string) => `export const plan = ${plan}`],
    ["list.mjs", (plan: string) => `export default [${plan}]`],
    ["function.mjs", (plan: string) => `export default () => (${plan})`],
    ["promise.mjs", (plan: string) => `export const plan = async () => [${plan}]`],
    ["module.cjs", (plan: string) => `module.exports = ${plan}`],
    ["member.cjs", (plan: string) => `exports.plan = ${plan}`],
    ["default.mts", (plan: string) => `export default ${plan} as unknown`],
    ["default.cts", (plan: string) => `export default ${plan} as unknown`],
  ])("may be %s", async (name, content) => {
    const { stdout, stderr } = await cli.run([
      "plan",
      cli.file(name, content(JSON.stringify(notNull))),
    ]);
    expect(stderr).toBe("");
    expect(stdout).toContain(`hash ${hashPlan(notNull)}`);
  });

  it("may hold several plans, which are printed in order", async () => {
    const index = createIndex({ table: "users", parts: ["email"] });
    const file = cli.file("two.json", JSON.stringify([notNull, index]));
    const { stdout } = await cli.run(["plan", file, "--format", "markdown"]);
    expect(stdout.indexOf(notNull.name)).toBeLessThan(stdout.indexOf(index.name));
    const json = await cli.run(["plan", file, "--json"]);
    expect((JSON.parse(json.stdout) as unknown[]).length).toBe(2);
  });

  it.each([
    ["broken.json", "{", /is not JSON/],
    ["empty.json", "{}", /no list of steps/],
    ["null.json", "null", /exports no plan/],
    ["none.json", "[]", /empty list/],
    ["no-steps.json", `{"format":1,"name":"x","steps":[]}`, /has no steps/],
    [
      "odd-step.json",
      `{"format":1,"name":"x","steps":[{"id":"a"}]}`,
      /step 1 of plan "x".*is no step/,
    ],
    ["format.json", JSON.stringify({ ...notNull, format: 2 }), /format is 2/],
    ["twice.json", JSON.stringify([notNull, notNull]), /two plans named/],
    ["edited.json", JSON.stringify({ ...notNull, hash: "0" }), /changed after it was printed/],
    ["nothing.mjs", "export const other = 1", /exports no plan/],
    ["syntax.ts", "export default {", /cannot be loaded/],
    ["import.mjs", `import "no-such-package"`, /cannot be loaded.*no-such-package/],
    ["import.ts", `import "no-such-package"`, /cannot be loaded.*no-such-package/],
    ["throws.mjs", `throw new Error("of its own")`, /cannot be loaded.*of its own/],
    ["late.mjs", `export default () => { throw new Error("later") }`, /throws: later/],
    ["plan.yaml", "a: 1", /neither JSON nor a module/],
    [
      "handlers.mjs",
      `export default ${JSON.stringify(notNull)}; export const handlers = { a: 1 }`,
      /handler "a"/,
    ],
  ])("is refused where it has no plan: %s", async (name, content, message) => {
    const ended = await cli.run(["plan", cli.file(name, content)]);
    expectRefusal(ended, { code: 2, message, hint: /./ });
    expect(ended.stdout).toBe("");
  });

  it("is refused where it is not there, or a directory", async () => {
    const missing = await cli.run(["plan", "no-such-plan.ts"]);
    expectRefusal(missing, { code: 2, message: /no file no-such-plan.ts/, hint: /\.json/ });
    const directory = await cli.run(["plan", "src"]);
    expectRefusal(directory, { code: 2, message: /src is not a file/, hint: /Name the file/ });
  });
});
