import type { Scheme } from "../definition/scheme.ts";
import { sqlStateOf, toError, UnderpinError } from "../errors.ts";
import type { Queryable } from "../executor/executor.ts";
import type { RelationName } from "../plan/step.ts";
import { ident, literal, qualified } from "../sql/quote.ts";
import { listValues } from "./dimension-values.ts";
import { MOST_SURVEYED, windowNames } from "./provision-body.ts";
import { namesOf } from "./provision-names.ts";
import { argumentOf } from "./scheme-columns.ts";

/** Between which places of the first range partitions are asked for. */
export interface ProvisionWindow {
  /** A moment, or a number where the range is one. @default the present, or 0 */
  readonly from?: Date | number | bigint;
  /** The last interval is that in which it lies. @default as many intervals later as are premade */
  readonly until?: Date | number | bigint;
}

/** One partition of a set of values, as it is or would be. */
export interface SurveyedPartition {
  readonly level: number;
  readonly name: string;
  readonly isThere: boolean;
  readonly isLeaf: boolean;
  /** Where the interval of the first range begins that it lies in, as text for the provision function. */
  readonly starts: string | null;
}

/** What is there and what is missing of one set of values, from the root down. */
export interface Survey {
  readonly table: RelationName;
  /** The values, by argument of the provision function. */
  readonly values: Readonly<Record<string, string>>;
  readonly partitions: readonly SurveyedPartition[];
  /** Tables that a new partition locks beside its parent: those that its foreign keys point to, and those that point to it. */
  readonly related: readonly RelationName[];
  /** Default partitions, by the name of their parent. */
  readonly defaults: Readonly<Record<string, string>>;
  /** Indexes that each partition gets. */
  readonly indexes: number;
  /** `150020`. */
  readonly versionNum: number;
  /** The server's minute, in UTC: `202611211604`. */
  readonly minute: string;
}

/** Values of the list dimensions, and between which places partitions of them are asked for. */
export type SurveyRequest = readonly [values: object, window?: ProvisionWindow];

/** How many sets of values one statement asks for. */
const AT_ONCE = 50;

/** Asks the functions of a scheme what is there for one set of values; refuses values that no partition takes. */
export async function readSurvey(
  db: Queryable,
  scheme: Scheme,
  values: object,
  window: ProvisionWindow = {},
): Promise<Survey> {
  const [survey] = await readSurveys(db, scheme, [[values, window]]);
  if (survey === undefined) throw toError("the server returned no row for a survey");
  return survey;
}

/**
 * As {@link readSurvey} for many sets of values, in their order, fifty in one statement: what they have in common is read once.
 *
 * Foreign keys that point to a table are found by what depends on it: of `pg_constraint` no index leads there, and
 * with thousands of partitions it has tens of thousands of rows.
 */
export async function readSurveys(
  db: Queryable,
  scheme: Scheme,
  requests: readonly SurveyRequest[],
): Promise<readonly Survey[]> {
  const asked = requests.map((request) => askedOf(scheme, request));
  const surveys: Survey[] = [];
  for (let first = 0; first < asked.length; first += AT_ONCE)
    surveys.push(...(await readSome(db, scheme, asked.slice(first, first + AT_ONCE))));
  return surveys;
}

/** One set of values: by column for messages, and as arguments of the functions. */
interface Asked {
  readonly byColumn: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, string>>;
  readonly window: Readonly<Record<string, string>>;
}

function askedOf(scheme: Scheme, [values, window = {}]: SurveyRequest): Asked {
  const byColumn = listValues(scheme, values);
  return {
    byColumn,
    values: Object.fromEntries(
      Object.entries(byColumn).map(([column, value]) => [argumentOf(column), value]),
    ),
    window: windowArguments(scheme, window),
  };
}

async function readSome(
  db: Queryable,
  scheme: Scheme,
  asked: readonly Asked[],
): Promise<readonly Survey[]> {
  const { schema, table } = namesOf(scheme);
  type Read = Omit<Survey, "table" | "values" | "partitions"> & {
    readonly partitions: readonly (SurveyedPartition & { readonly asked: number })[];
  };
  const [row] = await db
    .query<{ json: string }>(surveySql(scheme, asked))
    .catch((error: unknown) => refuse(db, scheme, asked, error));
  const { partitions, ...common } = JSON.parse(row?.json ?? "{}") as Read;
  return asked.map(({ values }, at): Survey => {
    const own = partitions.flatMap(({ asked: index, ...each }) => (index === at ? [each] : []));
    if (own.length >= MOST_SURVEYED)
      throw new UnderpinError({
        code: "invalidInput",
        message: `more than ${MOST_SURVEYED} partitions of ${qualified(schema, table)} are asked for at once`,
        hint: "Is the clock right, or `until`? Ask for less at a time.",
      });
    return { ...common, partitions: own, table: { schema, name: table }, values };
  });
}

function surveySql(scheme: Scheme, asked: readonly Asked[]): string {
  const { schema, table, survey } = namesOf(scheme);
  const root = `pg_catalog.to_regclass(${literal(qualified(schema, table))})`;
  const each = asked.map(
    ({ values, window }, at) =>
      `SELECT ${at} AS asked, s.* FROM ${qualified(schema, survey)}(${argumentList({ ...values, ...window })}) WITH ORDINALITY AS s (level, part, parent, made_as, leaf, starts, n)`,
  );
  return `SELECT pg_catalog.json_build_object(
  'partitions', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'asked', s.asked, 'level', s.level, 'name', coalesce(c.relname::text, s.made_as), 'isThere', s.part IS NOT NULL,
      'isLeaf', s.leaf, 'starts', s.starts) ORDER BY s.asked, s.n), '[]'::json)
    FROM (${each.join("\n    UNION ALL ")}) AS s
    LEFT JOIN pg_catalog.pg_class AS c ON c.oid = s.part),
  'related', (SELECT coalesce(pg_catalog.json_agg(DISTINCT pg_catalog.jsonb_build_object('schema', n.nspname, 'name', c.relname)), '[]'::json)
    FROM (
      SELECT k.confrelid AS oid FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = ${root} AND k.contype = 'f' AND k.conparentid = 0
      UNION SELECT k.conrelid FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_constraint AS k ON k.oid = d.objid
      WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = ${root}
        AND d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
        AND k.confrelid = ${root} AND k.contype = 'f' AND k.conparentid = 0) AS r
    JOIN pg_catalog.pg_class AS c ON c.oid = r.oid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid <> ${root}),
  'defaults', (SELECT coalesce(pg_catalog.json_object_agg(p.relname, c.relname), '{}'::json)
    FROM pg_catalog.pg_partitioned_table AS k
    JOIN pg_catalog.pg_class AS c ON c.oid = k.partdefid JOIN pg_catalog.pg_class AS p ON p.oid = k.partrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = p.relnamespace WHERE n.nspname = ${literal(schema)}),
  'indexes', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_index AS i WHERE i.indrelid = ${root}),
  'versionNum', pg_catalog.current_setting('server_version_num')::int,
  'minute', pg_catalog.to_char(pg_catalog.now() AT TIME ZONE 'UTC', 'YYYYMMDDHH24MI'))::text AS json`;
}

/** Refuses by name the set of values that the server does not take: of many, each is asked for alone. */
async function refuse(
  db: Queryable,
  scheme: Scheme,
  asked: readonly Asked[],
  cause: unknown,
): Promise<never> {
  if (asked.length > 1 && /^(?:22|55000)/.test(sqlStateOf(cause) ?? ""))
    for (const each of asked)
      await db.query(surveySql(scheme, [each])).catch((error: unknown): never => {
        // A transaction of the caller ended with the first error.
        if (sqlStateOf(error) === "25P02") throw refusalOf(scheme, {}, cause);
        throw refusalOf(scheme, each.byColumn, error);
      });
  throw refusalOf(scheme, asked.length === 1 ? (asked[0]?.byColumn ?? {}) : {}, cause);
}

/** The arguments of a call by name: what is left out has its default. */
export function argumentList(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${ident(name)} => ${literal(value)}`)
    .join(", ");
}

function windowArguments(
  scheme: Scheme,
  { from, until }: ProvisionWindow,
): Readonly<Record<string, string>> {
  const names = windowNames(scheme);
  if (names === undefined) return {};
  return {
    ...(from === undefined ? {} : { [names.from]: placeOf(from) }),
    ...(until === undefined ? {} : { [names.until]: placeOf(until) }),
  };
}

function placeOf(place: Date | number | bigint): string {
  if (!(place instanceof Date)) return String(place);
  if (!Number.isNaN(place.getTime())) return place.toISOString();
  throw new UnderpinError({
    code: "invalidInput",
    message: "a time between which partitions are asked for is an invalid Date",
    hint: 'Give a moment: { until: new Date("2027-01-01T00:00:00Z") }.',
  });
}

/** What the server says of values that no partition takes, of a table that is cut otherwise, and where nothing is installed. */
function refusalOf(scheme: Scheme, values: object, cause: unknown): unknown {
  const state = sqlStateOf(cause) ?? "";
  const { schema, table, survey } = namesOf(scheme);
  const whose = Object.keys(values).length === 0 ? "" : ` for ${JSON.stringify(values)}`;
  const what = `partitions of ${qualified(schema, table)}${whose}: ${toError(cause).message}`;
  if (state === "42883" || state === "3F000" || state === "42P01")
    return new UnderpinError({
      code: "inDoubt",
      message: `${what} (looked for ${qualified(schema, survey)})`,
      hint: "Install the definition that the scheme belongs to: apply(db, planInstall(definition)); for a scheme that is there already, take it out and in again.",
      cause,
    });
  if (state === "55000")
    return new UnderpinError({
      code: "inDoubt",
      message: what,
      hint:
        serverHint(cause) ?? "Compare the table with its scheme: validatePartitions(db, scheme).",
      cause,
    });
  if (state.startsWith("22"))
    return new UnderpinError({
      code: "invalidInput",
      message: what,
      hint: "Give values that the columns of the scheme may hold.",
      cause,
    });
  return cause;
}

function serverHint(error: unknown): string | undefined {
  for (let at: unknown = error; typeof at === "object" && at !== null; ) {
    const { hint, cause } = at as { hint?: unknown; cause?: unknown };
    if (typeof hint === "string" && hint !== "") return hint;
    at = cause;
  }
  return undefined;
}
