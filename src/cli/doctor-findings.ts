import type { RunStatus } from "../run/runs.ts";
import { OLDEST_SERVER } from "../run/run-schema.ts";
import { ident, qualified } from "../sql/quote.ts";
import { duration } from "./figures.ts";
import type { RunSchemaReadings, ServerReadings } from "./doctor-readings.ts";
import { shellWord } from "./shell-word.ts";

/** Something that stands in the way of a run, with the command that mends it. */
export interface Finding {
  readonly what: string;
  readonly hint: string;
}

/** All that the doctor has read. */
export interface Readings {
  readonly server: ServerReadings;
  readonly throughPooler: boolean | undefined;
  readonly hasDirect: boolean;
  readonly runSchemaName: string;
  readonly runSchema: RunSchemaReadings | undefined;
  readonly runs: readonly RunStatus[];
  readonly drizzle: string | null;
}

/** What a person should look at before or after a run. */
export function findingsOf(readings: Readings): readonly Finding[] {
  return [
    ...serverFindings(readings),
    ...activityFindings(readings.server),
    ...runFindings(readings),
  ];
}

function serverFindings({
  server,
  throughPooler,
  hasDirect,
  runSchemaName,
  runSchema,
  drizzle,
}: Readings): readonly Finding[] {
  const { versionNum, version, isReplica, isReadOnly, rights, role } = server;
  const findings: Finding[] = [];
  if (versionNum < OLDEST_SERVER * 10_000)
    findings.push({
      what: `the server is PostgreSQL ${version}; underpin needs ${OLDEST_SERVER} or later`,
      hint: "Upgrade the server: its major is out of support.",
    });
  if (isReplica)
    findings.push({
      what: "the server is a read-only replica (in recovery)",
      hint: "Connect to the primary.",
    });
  if (isReadOnly)
    findings.push({
      what: "transactions of this login are read-only by default; underpin opens its own READ WRITE, other tools may fail",
      hint: `ALTER ROLE ${ident(role)} RESET default_transaction_read_only; or the same of the database`,
    });
  if (runSchema === undefined && !rights.createInDatabase && !isReplica)
    findings.push({
      what: `this login may not create the run schema ${ident(runSchemaName)}`,
      hint: `As the database's owner: CREATE SCHEMA ${ident(runSchemaName)} AUTHORIZATION ${ident(role)};`,
    });
  if (throughPooler === true && !hasDirect)
    findings.push({
      what: "a pooler stands in between: CONCURRENTLY steps need a connection of their own and are refused",
      hint: "Name the server itself: --direct-url URL, or set DIRECT_URL.",
    });
  if (drizzle !== null && !/^0\.4[45]\./.test(drizzle))
    findings.push({
      what: `drizzle-orm ${drizzle} is installed; underpin is tested with 0.44 and 0.45`,
      hint: "npm install drizzle-orm@0.45",
    });
  return findings;
}

function activityFindings({
  preparedTransactions,
  longTransactions,
  invalidIndexes,
}: ServerReadings): readonly Finding[] {
  return [
    ...preparedTransactions.map(
      ({ gid, owner, ageSeconds }): Finding => ({
        what: `prepared transaction ${JSON.stringify(gid)} of ${owner} is open for ${duration(ageSeconds * 1_000)}; it keeps its locks until somebody ends it`,
        hint: "COMMIT PREPARED or ROLLBACK PREPARED it, after asking its owner.",
      }),
    ),
    ...longTransactions.map(
      ({ pid, role, state, ageSeconds, query }): Finding => ({
        what: `backend ${pid}${role === null ? "" : ` (${role})`} has had a transaction open for ${duration(ageSeconds * 1_000)}${state === null ? "" : `, ${state}`}${query === null ? "" : `: ${query.replace(/\s+/g, " ")}`}`,
        hint: `CONCURRENTLY steps wait for it. Ask its owner, or: SELECT pg_terminate_backend(${pid});`,
      }),
    ),
    ...invalidIndexes
      .filter(({ building }) => !building)
      .map(
        ({ schema, name, table }): Finding => ({
          what: `index ${qualified(schema, name)} on ${table} is INVALID: writes pay for it and no query uses it`,
          hint: `DROP INDEX CONCURRENTLY ${qualified(schema, name)}; or REINDEX INDEX CONCURRENTLY ${qualified(schema, name)};`,
        }),
      ),
  ];
}

function runFindings({ runs, runSchema }: Readings): readonly Finding[] {
  const stuck = new Map(runSchema?.stuckLeases.map(({ name, owner }) => [name, owner]));
  return runs.flatMap(({ name, state, failure, nextStep }): readonly Finding[] => {
    const word = shellWord(name);
    const owner = stuck.get(name);
    if (owner !== undefined || state === "interrupted")
      return [
        {
          what: `run "${name}" was left by its process${owner === undefined ? "" : ` (${owner})`} at ${nextStep ?? "its end"}`,
          hint: state === "undoing" ? `underpin undo ${word}` : `underpin resume ${word}`,
        },
      ];
    if (state === "failed")
      return [
        {
          what: `run "${name}" failed at ${failure?.step ?? nextStep}: ${failure?.message ?? ""}`,
          hint: `Mend the cause, then: underpin resume ${word}; or take it back: underpin undo ${word}`,
        },
      ];
    return [];
  });
}
