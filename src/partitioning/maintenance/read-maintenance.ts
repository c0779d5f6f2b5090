import type { Finding, Findings } from "../../catalog/finding.ts";
import { namedPath } from "../../catalog/path.ts";
import type { Scheme } from "../../definition/scheme.ts";
import type { Executor } from "../../executor/executor.ts";
import { readDrains, type Drain } from "./drain.ts";
import { readLeaveDetails, type LeaveDetails } from "./leave-details.ts";
import { lackingPartitions } from "./premake.ts";
import { readPremakes, type Premake } from "./premake-steps.ts";
import { readState, type MaintenanceState, type Member } from "./read-state.ts";
import { clockFindings, leavingPartitions } from "./retention.ts";

/** What the reading of a scheme's maintenance depends on. */
export interface MaintenanceOptions {
  /** The moment that is taken for now. @default the server's clock */
  readonly now?: Date | string;
  /** How many days a detached partition is kept before it is archived and dropped. @default 7 */
  readonly graceDays?: number;
  /** Partitions that hold nothing leave when they ended this long ago, as an interval of PostgreSQL. @default they stay */
  readonly dropEmptyAfter?: string;
  /** Whether retention may take away every partition that holds rows. @default false */
  readonly mayEmpty?: boolean;
}

/** All that the maintenance of one scheme is planned from. */
export interface MaintenanceReading {
  readonly state: MaintenanceState;
  /** None where the clock does not fit the partitions. */
  readonly premakes: readonly Premake[];
  readonly leaving: readonly Member[];
  readonly details: ReadonlyMap<number, LeaveDetails>;
  readonly drains: readonly Drain[];
  readonly findings: Findings;
}

/** Reads what the maintenance of a scheme is planned from: one statement, and more only where there is something to do. */
export async function readMaintenance(
  db: Executor,
  scheme: Scheme,
  { now, graceDays = 7, dropEmptyAfter, mayEmpty = false }: MaintenanceOptions = {},
): Promise<MaintenanceReading> {
  const state = await readState(db, scheme, {
    graceDays,
    ...(now === undefined ? {} : { now }),
    ...(dropEmptyAfter === undefined ? {} : { dropEmptyAfter }),
  });
  const clock = clockFindings(state);
  const trustsClock = clock.length === 0;
  const leaving = trustsClock
    ? leavingPartitions(state, mayEmpty)
    : { members: [], emptied: new Set<number>(), findings: [] };
  const premakes = trustsClock ? await readPremakes(db, scheme, lackingPartitions(state)) : [];
  const details = await readLeaveDetails(db, state.root, leaving.members);
  const { emptied, findings } = leaving;
  const members = leaving.members.filter(
    ({ oid }) => !(emptied.has(oid) && details.get(oid)?.holds === true),
  );
  const drained = trustsClock ? await readDrains(db, state) : { drains: [], findings: [] };
  return {
    state,
    premakes,
    leaving: members,
    details,
    drains: drained.drains,
    findings: [
      ...clock,
      ...otherwise(state),
      ...findings,
      ...members.flatMap((member) => referenced(member, details.get(member.oid))),
      ...drained.findings,
    ],
  };
}

/** A scheme that was changed under a table that has partitions: nothing is made there, since it would be in the wrong place. */
function otherwise({
  scheme,
  root,
  partitions,
  cutOtherwise,
}: MaintenanceState): readonly Finding[] {
  const members = new Map([root, ...partitions].map((each) => [each.oid, each]));
  return cutOtherwise.flatMap(({ oid, key }): readonly Finding[] => {
    const member = members.get(oid);
    if (member === undefined || isInDefault(member, members)) return [];
    const dimension = scheme.dimensions[member.level];
    return [
      {
        check: "partition-dimension",
        severity: "error",
        object: namedPath("table", member.schema, member.name),
        message: `it is partitioned by ${key}, and by the scheme ${dimension === undefined ? "nothing is below that level" : `${dimension.strategy} of ${dimension.column} comes there`}: no partition is made below it`,
        repair: null,
      },
    ];
  });
}

function isInDefault(member: Member, members: ReadonlyMap<number, Member>): boolean {
  const parent = member.parent === null ? undefined : members.get(member.parent);
  return (
    member.bound?.strategy === "default" || (parent !== undefined && isInDefault(parent, members))
  );
}

function referenced(
  { schema, name }: Member,
  details: LeaveDetails | undefined,
): readonly Finding[] {
  if (details === undefined || details.referencedBy === null) return [];
  return [
    {
      check: "retention-referenced",
      severity: "warning",
      object: namedPath("table", schema, name),
      message: `rows of ${details.referencedBy} refer to rows of it: it cannot be detached (23503). Delete those first, or retain it longer`,
      repair: null,
    },
  ];
}
