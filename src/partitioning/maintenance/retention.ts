import type { Finding } from "../../catalog/finding.ts";
import { namedPath } from "../../catalog/path.ts";
import { namesOf } from "../provision-names.ts";
import { keyOf, rangeLevelOf } from "./calendar.ts";
import type { MaintenanceState, Member } from "./read-state.ts";

/** Which partitions may leave, and what stands against it. */
export interface Leaving {
  readonly members: readonly Member[];
  /** Those that leave only because they are thought to be empty. */
  readonly emptied: ReadonlySet<number>;
  readonly findings: readonly Finding[];
}

const YEAR_MS = 365 * 24 * 3_600_000;

/** How many partitions leave in one call: the next call goes on. */
const AT_ONCE = 100;

/** A range partition with its edges as numbers. */
export interface Cut {
  readonly member: Member;
  readonly lower: number;
  readonly upper: number;
}

/**
 * The partitions that ended longer ago than `retain`, or hold nothing and ended long enough ago.
 *
 * Of each parent's partitions the newest and the present one never leave, whatever the clock says; and where all rows would
 * leave, none does: a wrong clock or a wrong interval costs nothing but a finding.
 */
export function leavingPartitions(state: MaintenanceState, mayEmpty: boolean): Leaving {
  const [calendar] = state.calendars;
  if (calendar === undefined || (calendar.cutOff === null && calendar.emptyCutOff === null))
    return { members: [], emptied: new Set(), findings: [] };
  const empty = new Set<number>();
  const members = siblingsOf(cutsOf(state)).flatMap((siblings) => {
    const newest = Math.max(...siblings.map(({ lower }) => lower));
    return siblings
      .filter(({ member, lower, upper }) => {
        if (member.detachPending || lower === newest || upper > calendar.now) return false;
        const expired = calendar.cutOff !== null && upper <= calendar.cutOff;
        const emptied =
          calendar.emptyCutOff !== null &&
          upper <= calendar.emptyCutOff &&
          !holdsRows(state, member);
        if (emptied && !expired) empty.add(member.oid);
        return expired || emptied;
      })
      .map(({ member }) => member);
  });
  const holding = state.partitions.filter((each) => each.holds === true);
  const leaves = new Set(members.flatMap((member) => [member, ...below(state, member)]));
  if (!mayEmpty && holding.length > 0 && holding.every((each) => leaves.has(each)))
    return {
      members: [],
      emptied: new Set(),
      findings: [
        finding(
          state,
          "retention-drops-everything",
          `every partition that holds rows (${holding.length}) ended longer ago than it is to be retained: none leaves`,
        ),
      ],
    };
  return { members: members.slice(0, AT_ONCE), emptied: empty, findings: [] };
}

/** A clock that is years off its own partitions; nothing is made or taken away by it. */
export function clockFindings(state: MaintenanceState): readonly Finding[] {
  const [calendar] = state.calendars;
  const cuts = cutsOf(state);
  if (calendar === undefined || cuts.length === 0) return [];
  const day = (key: number) => new Date(key).toISOString().slice(0, 10);
  const ends = Math.max(...cuts.map(({ upper }) => upper).filter(Number.isFinite));
  if (calendar.now - ends > YEAR_MS)
    return [
      finding(
        state,
        "partition-clock",
        `the clock says ${day(calendar.now)} and the newest partition ends ${day(ends)}: nothing is made or taken away. Mend the clock; if it is right, provision the present first`,
      ),
    ];
  const begins = cuts
    .filter(({ member }) => holdsRows(state, member))
    .map(({ lower }) => lower)
    .filter(Number.isFinite);
  const oldest = Math.min(...begins);
  if (Number.isFinite(oldest) && oldest - calendar.now > YEAR_MS)
    return [
      finding(
        state,
        "partition-clock",
        `the clock says ${day(calendar.now)} and the oldest rows are of ${day(oldest)} or later: nothing is made or taken away. Mend the clock`,
      ),
    ];
  return [];
}

/** The partitions of the range dimension with their edges. */
export function cutsOf({ scheme, partitions }: MaintenanceState): readonly Cut[] {
  const range = rangeLevelOf(scheme);
  return partitions.flatMap((member) => {
    const { bound, level } = member;
    if (level !== range?.level || bound?.strategy !== "range") return [];
    return [{ member, lower: keyOf(bound.lower[0]), upper: keyOf(bound.upper[0]) }];
  });
}

/** Range partitions, those of one parent together. */
export function siblingsOf(cuts: readonly Cut[]): readonly (readonly Cut[])[] {
  const byParent = new Map<number | null, Cut[]>();
  for (const cut of cuts) {
    const siblings = byParent.get(cut.member.parent);
    if (siblings === undefined) byParent.set(cut.member.parent, [cut]);
    else siblings.push(cut);
  }
  return [...byParent.values()];
}

/** Whether a member, or a table below it, has pages. */
export function holdsRows(state: MaintenanceState, member: Member): boolean {
  return member.isLeaf
    ? member.holds === true
    : below(state, member).some(({ holds }) => holds === true);
}

function below(state: MaintenanceState, { oid, isLeaf }: Member): readonly Member[] {
  if (isLeaf) return [];
  return state.partitions
    .filter(({ parent }) => parent === oid)
    .flatMap((child) => [child, ...below(state, child)]);
}

function finding({ scheme }: MaintenanceState, check: string, message: string): Finding {
  const { schema, table } = namesOf(scheme);
  const object = namedPath("table", schema, table);
  return { check, severity: "error", object, message, repair: null };
}
