import { migrateFleet } from "../migrations/fleet.ts";
import { migrate } from "../migrations/migrate.ts";
import { migrationPlans, migrationScript } from "../migrations/migration-script.ts";
import { status } from "../migrations/status.ts";
import { textOption, type Call, type Verb } from "./call.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { allowOption, folderOption, given, namesOption } from "./folder-option.ts";
import { handlersOption } from "./handlers-option.ts";
import { tellMigrations, tellStatus } from "./migration-text.ts";
import { misuse } from "./misuse.ts";
import { withDatabase, withDirect } from "./open-database.ts";
import { DATABASE, RUNNING } from "./options.ts";
import { progressTeller } from "./progress.ts";
import { runOptions, schemaOption } from "./run-options.ts";
import { formatOption, printed } from "./verb-plan.ts";

/** `underpin migrate`: applies a folder of migrations. */
export const migrateVerb: Verb = {
  name: "migrate",
  summary: "Apply the migrations of a folder that the database has not",
  operands: [],
  options: [
    "folder",
    "to",
    "allow",
    "dry-run",
    "script",
    "after",
    "format",
    "tenants",
    "create-schemas",
    "handlers",
    ...DATABASE,
    ...RUNNING,
  ],
  notes:
    "Each migration is a run of its own, with its row in the ledger; on an empty database many share a transaction. Call it again after a failure: it goes on from there.",
  run: async (call) => {
    const folder = folderOption(call);
    const to = given("to", textOption(call, "to"));
    const after = given("after", textOption(call, "after"));
    const allow = allowOption(call);
    if (call.options.script === true) {
      const text = await migrationScript({ folder, ...to, ...after, allow, ...schemaOption(call) });
      call.terminal.out(text.trimEnd());
      return EXIT.done;
    }
    if (after.after !== undefined)
      throw misuse(
        "--after is for --script: with a database the ledger says what is left",
        "Leave it out, or add --script.",
      );
    if (call.options["dry-run"] === true) return dryRun(call, folder);
    const handlers = await handlersOption(call);
    const tenants = namesOption(call, "tenants");
    return withDatabase(call, ({ db, executor: { driver } }) =>
      withDirect(call, async (direct) => {
        const { terminal } = call;
        const onEvent =
          call.options.json === true || tenants.length > 0
            ? () => {}
            : progressTeller(terminal, "begins");
        const running = runOptions(call, { driver, direct, handlers, onEvent });
        const options = { ...running, folder, ...to, allow };
        if (tenants.length === 0) return tellMigrations(call, await migrate(db, options));
        const report = await migrateFleet(
          tenants.map((schema) => ({ name: schema, db, tenant: { schema } })),
          {
            ...options,
            createSchemas: call.options["create-schemas"] === true,
            onEnded: ({ name, report: own, error }) => {
              if (call.options.json === true) return;
              terminal.out(
                `${name}: ${own?.outcome ?? "failed"}${own === undefined ? "" : `, ${own.applied.length} applied`}${own?.failure === undefined ? "" : `; ${own.failure.version}: ${own.failure.message}`}${error === undefined ? "" : `; ${error.message}`}`,
              );
            },
          },
        );
        if (call.options.json === true) terminal.out(JSON.stringify(report, null, 2));
        else if (report.notBegun.length > 0)
          terminal.out(`not begun: ${report.notBegun.join(", ")}`);
        return FLEET_EXIT[report.outcome];
      }),
    );
  },
};

const FLEET_EXIT = { applied: EXIT.done, failed: EXIT.failed, cancelled: EXIT.findings } as const;

/** Prints the plans of what is pending. Nothing is changed, and no ledger is made. */
async function dryRun(call: Call, folder: string): Promise<ExitCode> {
  const format = formatOption(call);
  const allow = allowOption(call);
  const to = given("to", textOption(call, "to"));
  const found = await withDatabase(call, ({ db }) => status(db, { folder, ...schemaOption(call) }));
  const pending = new Set(found.pending.map((version) => `migration ${version}`));
  const plans = (await migrationPlans({ folder, ...to, allow, ...schemaOption(call) })).filter(
    ({ name }) => pending.has(name),
  );
  if (format === "json") {
    call.terminal.out(JSON.stringify({ status: found, plans }, null, 2));
    return EXIT.done;
  }
  if (plans.length > 0) call.terminal.out(`${printed(plans, format)}\n`);
  return tellStatus(call, found);
}
