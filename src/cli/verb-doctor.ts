import { runs } from "../run/runs.ts";
import type { Call, Verb } from "./call.ts";
import { findingsOf, type Finding, type Readings } from "./doctor-findings.ts";
import { readRunSchema, readServer } from "./doctor-readings.ts";
import { EXIT } from "./exit-code.ts";
import { count } from "./figures.ts";
import { installedVersions } from "./installed-versions.ts";
import { withDatabase, withDirect, type OpenDatabase } from "./open-database.ts";
import { DATABASE } from "./options.ts";
import { schemaOption } from "./run-options.ts";
import { hasRunSchema, runSchemaName } from "./run-schema-guard.ts";
import { paint, type Terminal } from "./terminal.ts";
import { VERSION } from "./version.ts";
import { runText } from "./verb-runs.ts";

/** `underpin doctor`: looks at all that a run depends on, and changes nothing. */
export const doctorVerb: Verb = {
  name: "doctor",
  summary: "Look at versions, rights, locks and runs; exit code 3 where something needs a person",
  operands: [],
  options: ["direct-url", ...DATABASE],
  run: (call) =>
    withDatabase(call, (database) =>
      withDirect(call, async (direct) => {
        const readings = await read(call, database, direct !== undefined);
        const findings = findingsOf(readings);
        const versions = {
          node: process.versions.node,
          underpin: VERSION,
          ...installedVersions(),
        };
        if (call.options.json === true)
          call.terminal.out(
            JSON.stringify({ database: database.shown, versions, ...readings, findings }, null, 2),
          );
        else call.terminal.out(doctorText(database, versions, readings, findings, call.terminal));
        return findings.length > 0 ? EXIT.findings : EXIT.done;
      }),
    ),
};

async function read(
  call: Call,
  { db, executor }: OpenDatabase,
  hasDirect: boolean,
): Promise<Readings> {
  const server = await readServer(executor);
  const schema = runSchemaName(call);
  const known = await hasRunSchema(executor, schema);
  return {
    server,
    throughPooler: await isPooled(executor),
    hasDirect,
    runSchemaName: schema,
    runSchema: known ? await readRunSchema(executor, schema) : undefined,
    // A replica has the rows too, but runs() brings the run schema up to date first, and cannot there.
    runs: known && !server.isReplica ? await runs(db, schemaOption(call)) : [],
    drizzle: installedVersions()["drizzle-orm"],
  };
}

/** A pooler answers the handshake with a process id of its own. */
function isPooled(executor: OpenDatabase["executor"]): Promise<boolean | undefined> {
  return executor.session(async (session) => {
    if (session.connectPid === undefined) return undefined;
    const [row] = await session.query<{ pid: string }>(
      "SELECT pg_catalog.pg_backend_pid()::text AS pid",
    );
    return Number(row?.pid) !== session.connectPid;
  });
}

function doctorText(
  { shown, executor }: OpenDatabase,
  versions: Readonly<Record<string, string | null>>,
  { server, throughPooler, runSchemaName: schema, runSchema, runs: all }: Readings,
  findings: readonly Finding[],
  terminal: Terminal,
): string {
  const row = (what: string, text: string) => `  ${what.padEnd(12)} ${text}`;
  const held = Object.entries(server.rights);
  const names = (is: boolean) => held.filter(([, has]) => has === is).map(([name]) => name);
  return [
    paint(terminal, "bold", shown),
    row(
      "versions",
      Object.entries(versions)
        .map(([name, version]) => `${name} ${version ?? "not installed"}`)
        .join(", "),
    ),
    row(
      "server",
      `PostgreSQL ${server.version}, database ${server.database}, driver ${executor.driver}`,
    ),
    row("role", `${server.role}: ${names(true).join(", ") || "no special right"}`),
    ...(names(false).length === 0 ? [] : [row("", `without ${names(false).join(", ")}`)]),
    ...rightsNotes(server).map((note) => row("", note)),
    row(
      "pooler",
      executor.driver === "pglite"
        ? "none: it is embedded"
        : throughPooler === undefined
          ? "cannot be told"
          : throughPooler
            ? "in between"
            : "none",
    ),
    row(
      "lock table",
      `${count(server.lockTableSize)} entries (max_locks_per_transaction ${server.maxLocksPerTransaction} × ${server.maxConnections + server.maxPreparedTransactions}); a step may take a quarter`,
    ),
    row(
      "run schema",
      runSchema === undefined
        ? `${schema} is not there yet: the first apply makes it`
        : `${schema}, version ${runSchema.version}`,
    ),
    ...all
      .filter(({ state }) => state !== "undone")
      .map((run) => row("run", runText(run).replaceAll("\n", `\n${" ".repeat(15)}`))),
    "",
    ...(findings.length === 0
      ? [paint(terminal, "green", "no findings")]
      : findings.flatMap(({ what, hint }) => [
          `${paint(terminal, "yellow", "finding:")} ${what}`,
          `  ${paint(terminal, "dim", "what to do:")} ${hint}`,
        ])),
  ].join("\n");
}

/** What a missing right means. It is no finding: many logins do without. */
function rightsNotes({ rights }: Readings["server"]): readonly string[] {
  return [
    ...(rights.pg_read_all_stats && rights.pg_signal_backend
      ? []
      : [
          "without pg_read_all_stats and pg_signal_backend a run that another login left is not taken over",
        ]),
    ...(rights.bypassrls
      ? []
      : [
          "without bypassrls a step over rows under FORCE ROW LEVEL SECURITY needs a policy for this role",
        ]),
  ];
}
