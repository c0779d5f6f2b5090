import { readJson } from "../../catalog/read-json.ts";
import type { Finding } from "../../catalog/finding.ts";
import { namedPath } from "../../catalog/path.ts";
import type { Scheme } from "../../definition/scheme.ts";
import type { Queryable } from "../../executor/executor.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { calendarSql, type Calendar } from "../maintenance/calendar.ts";
import { typeOf, windowOf } from "../scheme-columns.ts";
import { namesOf } from "../provision-names.ts";
import { pathOf, type Partition } from "../read-tree.ts";
import { readCuts } from "./cuts.ts";
import { provisionValues } from "./level-findings.ts";
import { rangeNodes, type RangeNode, type Span } from "./range-node.ts";
import type { ValidationReading } from "./read-validation.ts";

const YEAR_MS = 366 * 24 * 60 * 60 * 1000;

/**
 * Intervals that have no partition, partitions that are cut otherwise than the scheme says, and partitions that no clock that goes
 * right has asked for. What an interval is, the server works out.
 */
export async function rangeFindings(
  db: Queryable,
  scheme: Scheme,
  reading: ValidationReading,
  moment: string,
): Promise<readonly Finding[]> {
  const nodes = rangeNodes(scheme, reading);
  if (nodes.length === 0) return [];
  const [calendars, cutOtherwise] = [
    await readCalendars(db, scheme, nodes, moment),
    await readCuts(db, scheme, nodes),
  ];
  return nodes.flatMap((node) => [
    ...gapFindings(scheme, reading, node, calendars.get(kindOf(node)) ?? null),
    ...cutFindings(node, cutOtherwise),
  ]);
}

const kindOf = ({ dimension, every, premake }: RangeNode) =>
  `${dimension.column} ${every} ${premake}`;

/** From now to the end of what is made ahead, for each way to cut time; none for numbers, which no clock moves. */
async function readCalendars(
  db: Queryable,
  scheme: Scheme,
  nodes: readonly RangeNode[],
  moment: string,
): Promise<ReadonlyMap<string, Calendar>> {
  const kinds = new Map(
    nodes.filter(({ every }) => typeof every === "string").map((node) => [kindOf(node), node]),
  );
  if (kinds.size === 0) return new Map();
  const read = await readJson(
    db,
    Object.fromEntries(
      [...kinds].map(([kind, { dimension, every, premake }]) => [
        kind,
        calendarSql(scheme, { ...dimension, retain: null }, { every, premake }, moment, undefined),
      ]),
    ),
    { schemas: [] },
  );
  return new Map(
    Object.entries(read).flatMap(([kind, [calendar]]) => [[kind, calendar as Calendar] as const]),
  );
}

function gapFindings(
  scheme: Scheme,
  reading: ValidationReading,
  node: RangeNode,
  calendar: Calendar | null,
): readonly Finding[] {
  const { member, spans, premake, every, hasDefault } = node;
  const object = namedPath("table", member.schema, member.name);
  const horizon = calendar?.intervals.at(-1)?.key ?? Number.POSITIVE_INFINITY;
  const now = calendar?.now ?? null;
  const refused = hasDefault ? "such rows go to the default partition" : "such rows are refused";
  const path = member.parent === null ? [] : pathOf(reading.tree, member);
  const repair = (from: number | null, until: number) =>
    calendar === null || from === null ? null : provisionCall(scheme, node, path, from, until);
  const isFar = ({ lower }: Span) => lower > horizon + YEAR_MS;
  const findings: Finding[] = spans.filter(isFar).map(({ partition, lower }) => ({
    check: "partition-far-future",
    severity: "warning",
    object: namedPath("table", partition.schema, partition.name),
    message: `it begins at ${keyText(node, lower)}, over a year after what is made ahead: a clock went wrong, or a row did`,
    repair: null,
  }));
  const near = spans.filter((span) => !isFar(span));
  for (const [at, { upper }] of near.entries()) {
    const next = near[at + 1]?.lower;
    if (next === undefined || next <= upper || upper >= horizon) continue;
    const until = Math.min(next, horizon);
    findings.push({
      check: "partition-gap",
      severity: now !== null && upper <= now && now < until && !hasDefault ? "error" : "warning",
      object,
      message: `no partition from ${keyText(node, upper)} to ${keyText(node, until)}: ${refused}`,
      repair: repair(upper, until),
    });
  }
  const last = near.at(-1)?.upper ?? Number.NEGATIVE_INFINITY;
  const inGap = now !== null && (near[0]?.lower ?? now + 1) <= now && now < last;
  const held = near.some(({ lower, upper }) => now === null || (lower <= now && now < upper));
  if (!held && !inGap)
    findings.push({
      check: "partition-missing",
      severity: hasDefault ? "warning" : "error",
      object,
      message: `it has no partition ${now === null ? "at all" : "for the present"}: ${refused}`,
      repair: repair(calendar?.intervals[0]?.key ?? null, horizon),
    });
  else if (last < horizon && now !== null)
    findings.push({
      check: "partition-premake",
      severity: "warning",
      object,
      message: `its partitions end at ${keyText(node, last)}; ${premake} of ${every} after the present one are to be ready, to ${keyText(node, horizon)}`,
      repair: repair(last, horizon),
    });
  return findings;
}

function cutFindings(node: RangeNode, cutOtherwise: ReadonlySet<number>): readonly Finding[] {
  const { member, spans, every } = node;
  const otherwise = spans.filter(({ partition }) => cutOtherwise.has(partition.oid));
  const [first] = otherwise;
  if (first === undefined) return [];
  return [
    {
      check: "partition-cut",
      severity: "warning",
      object: namedPath("table", member.schema, member.name),
      message: `${otherwise.length} of its ${spans.length} partitions are not one of ${every}, as ${first.partition.name} from ${keyText(node, first.lower)} to ${keyText(node, first.upper)}`,
      repair: null,
    },
  ];
}

function keyText({ every }: RangeNode, key: number): string {
  if (!Number.isFinite(key)) return key < 0 ? "the beginning" : "the end";
  if (typeof every === "number") return String(key);
  return new Date(key)
    .toISOString()
    .replace("T", " ")
    .replace(/(?::00)?\.000Z$/, "");
}

/** A call of the scheme's own function, which works out names and bounds. */
function provisionCall(
  scheme: Scheme,
  { dimension }: RangeNode,
  path: readonly Partition[],
  from: number,
  until: number,
): string | null {
  const values = provisionValues(scheme, path);
  if (values === null) return null;
  const { schema, provision } = namesOf(scheme);
  const type = typeOf(scheme, dimension);
  const wall = !type.startsWith("timestamp with time zone") && type !== "uuid";
  const moment = (key: number) => {
    const iso = new Date(key).toISOString();
    return wall
      ? `${literal(iso.slice(0, -1))}::timestamp AT TIME ZONE ${literal(scheme.timeZone)}`
      : `${literal(iso)}::timestamptz`;
  };
  const names = windowOf(scheme, dimension);
  const window = [
    `${ident(names.from)} => ${moment(from)}`,
    `${ident(names.until)} => (${moment(until)}) - interval '1 millisecond'`,
  ];
  return `SELECT ${qualified(schema, provision)}(${[...values, ...window].join(", ")})`;
}
