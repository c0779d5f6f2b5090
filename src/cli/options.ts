/** One option of the command line. */
interface OptionSpec {
  readonly type: "string" | "boolean";
  /** The placeholder of its value in the help. */
  readonly value?: string;
  readonly short?: string;
  readonly help: string;
}

/** Every option that a verb may take. */
export const OPTIONS = {
  url: {
    type: "string",
    value: "URL",
    help: "The database: postgres://…, pglite:./dir or memory: [default: DATABASE_URL]",
  },
  "direct-url": {
    type: "string",
    value: "URL",
    help: "The same database past the pooler, for CONCURRENTLY steps [default: DIRECT_URL]",
  },
  "run-schema": {
    type: "string",
    value: "NAME",
    help: "Schema of underpin's own tables [default: underpin]",
  },
  format: {
    type: "string",
    value: "FORMAT",
    help: "How to print: text, markdown, json or sql [default: text]",
  },
  postgres: {
    type: "string",
    value: "MAJOR",
    help: "The oldest server it is for: 15, 16, 17 or 18 [default: 18, or that of --url]",
  },
  "dry-run": {
    type: "boolean",
    help: "Change nothing: print the plan and what the journal says would still run",
  },
  folder: {
    type: "string",
    value: "DIRECTORY",
    help: "The folder of migrations [default: ./drizzle, else ./migrations]",
  },
  to: {
    type: "string",
    value: "VERSION",
    help: "The last migration that is applied afterwards, or the beginning of its name",
  },
  after: {
    type: "string",
    value: "VERSION",
    help: "With --script: the last migration that the database has",
  },
  steps: { type: "string", value: "COUNT", help: "How many migrations [default: 1]" },
  allow: {
    type: "string",
    value: "WHAT",
    help: "What is meant so though it looks like a mistake: gap, out-of-order, missing",
  },
  script: {
    type: "boolean",
    help: "Print the SQL of the migrations, the ledger included, for somebody else to run; no database",
  },
  tenants: {
    type: "string",
    value: "NAMES",
    help: "Schemas of tenants: the folder is applied to each, which has a ledger of its own",
  },
  "create-schemas": { type: "boolean", help: "Make the schema of a tenant that is not there" },
  only: { type: "boolean", help: "Only this one, and not those before it" },
  applied: {
    type: "string",
    value: "VERSIONS",
    help: "Migrations that were applied by hand: they are written down",
  },
  unapplied: {
    type: "string",
    value: "VERSIONS",
    help: "Migrations that were taken back by hand: they are taken out of the ledger",
  },
  every: {
    type: "string",
    value: "TIME",
    help: "Go on until Ctrl-C, and begin again after this long: 30s, 1m, 1h",
  },
  once: { type: "boolean", help: "Look once, and end" },
  probe: {
    type: "string",
    value: "SQL",
    help: "A query whose time is watched: twice that of its first five rounds is an alert",
  },
  "pause-run": {
    type: "string",
    value: "NAME",
    help: "The run that is asked to pause when an alert is raised",
  },
  "grace-days": {
    type: "string",
    value: "DAYS",
    help: "How long a detached partition is kept before it is archived and dropped [default: 7]",
  },
  "up-to": {
    type: "string",
    value: "STEP",
    help: "Take back the last steps only, down to and including this one",
  },
  workers: {
    type: "string",
    value: "COUNT",
    help: "How many batches this process changes at once [default: as many as the step says]",
  },
  handlers: {
    type: "string",
    value: "FILE",
    help: "A module whose `handlers` export has the functions that plans name, beside underpin.config.ts",
  },
  "when-busy": {
    type: "string",
    value: "WHAT",
    help: "If another process holds the run: wait for it, or return [default: wait]",
  },
  "lock-timeout-ms": {
    type: "string",
    value: "MS",
    help: "The longest that others may wait because of one transaction [default: 2000]",
  },
  "lock-budget-ms": {
    type: "string",
    value: "MS",
    help: "How long to go on trying for one transaction's locks [default: 600000]",
  },
  "retry-delay-ms": {
    type: "string",
    value: "MS",
    help: "Rest after the first failed try; later ones double [default: 500]",
  },
  "outside-wait-ms": {
    type: "string",
    value: "MS",
    help: "How long a CONCURRENTLY step may wait for old transactions [default: 1800000]",
  },
  "reconnect-budget-ms": {
    type: "string",
    value: "MS",
    help: "How long to try again when the connection is lost [default: 60000]",
  },
  "lease-ms": {
    type: "string",
    value: "MS",
    help: "How long the run stays ours without a heartbeat [default: 30000]",
  },
  "connect-timeout-ms": {
    type: "string",
    value: "MS",
    help: "How long to wait for the server's first answer [default: 10000]",
  },
  base: {
    type: "string",
    value: "FILE",
    help: "The state before: .sql as pg_dump --schema-only prints it, or a module that exports a definition [default: empty]",
  },
  first: {
    type: "string",
    value: "VERSION",
    help: "The first migration that is rehearsed [default: the last one; with --base all]",
  },
  on: {
    type: "string",
    value: "URL",
    help: "A scratch server: a database is made there, used and dropped again",
  },
  rows: {
    type: "string",
    value: "COUNT",
    help: "Rows that are made for each table [default: 20]",
  },
  archive: {
    type: "string",
    value: "FORM",
    help: "custom, one file, or directory, one file for each table [default: custom]",
  },
  "schema-only": { type: "boolean", help: "No rows" },
  tables: {
    type: "string",
    value: "NAMES",
    help: "These tables alone, as SQL names them: orders,app.lines",
  },
  schemas: { type: "string", value: "NAMES", help: "These schemas alone" },
  jobs: {
    type: "string",
    value: "COUNT",
    help: "How many tables are written or restored side by side [default: 2]",
  },
  definition: {
    type: "string",
    value: "FILE",
    help: "A module that exports a definition [default: underpin.config.ts]",
  },
  shadow: {
    type: "string",
    value: "URL",
    help: "An empty scratch database of the same server version",
  },
  name: { type: "string", value: "NAME", help: "What the migration is called: add_scores" },
  config: {
    type: "string",
    value: "FILE",
    help: "drizzle-kit's configuration [default: drizzle.config.ts]",
  },
  renames: {
    type: "string",
    value: "NAMES",
    help: "Columns that are renamed and keep their rows: app.notes.title=headline",
  },
  domains: {
    type: "string",
    value: "NAMES",
    help: "The domains to begin with: reporting,test-cycles [default: a table of notes]",
  },
  json: { type: "boolean", help: "Print one JSON document, and nothing else, on stdout" },
  help: { type: "boolean", short: "h", help: "Print this" },
  version: { type: "boolean", help: "Print the version" },
} as const satisfies Record<string, OptionSpec>;

/** The name of an option. */
export type OptionName = keyof typeof OPTIONS;

/** What every verb takes. */
export const COMMON = ["json", "help"] as const satisfies readonly OptionName[];

/** What every verb takes that needs a database. */
export const DATABASE = [
  "url",
  "run-schema",
  "connect-timeout-ms",
] as const satisfies readonly OptionName[];

/** What every verb takes that runs steps. */
export const RUNNING = [
  "direct-url",
  "when-busy",
  "lock-timeout-ms",
  "lock-budget-ms",
  "retry-delay-ms",
  "outside-wait-ms",
  "reconnect-budget-ms",
  "lease-ms",
] as const satisfies readonly OptionName[];
