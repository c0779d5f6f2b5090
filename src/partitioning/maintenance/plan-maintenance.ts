import type { Finding, Findings } from "../../catalog/finding.ts";
import { namedPath } from "../../catalog/path.ts";
import type { Scheme } from "../../definition/scheme.ts";
import { hashPlan } from "../../plan/hash.ts";
import type { Plan, Step } from "../../plan/step.ts";
import { namesOf } from "../provision-names.ts";
import { analyzeSteps } from "./analyze-steps.ts";
import type { Archive } from "./archive.ts";
import { closeSteps, indexSteps, unmarkSteps } from "./child-steps.ts";
import { drainSteps, interruptedSteps } from "./drain-steps.ts";
import { dropSteps } from "./drop-steps.ts";
import { afterDetachSteps, finalizeStep, leaveSteps } from "./leave-steps.ts";
import { premakeSteps } from "./premake-steps.ts";
import type { MaintenanceReading } from "./read-maintenance.ts";

/** What maintenance would do, and what it leaves to a person. */
export interface MaintenancePlan {
  /** Undefined where there is nothing to do. */
  readonly plan: Plan | undefined;
  readonly findings: Findings;
}

/**
 * Plans the maintenance of schemes from what was read of them: pure, so that a dry run prints what a run would do.
 *
 * What makes partitions comes first and what takes them away comes last: a partition that cannot leave keeps nobody from having the next
 * month.
 */
export function planMaintenance(
  readings: readonly MaintenanceReading[],
  { archive }: { readonly archive?: Archive } = {},
): MaintenancePlan {
  const steps = [
    ...readings.flatMap(finalizing),
    ...readings.flatMap((reading) => premaking(reading, false)),
    ...readings.flatMap(({ state }) => [...indexSteps(state), ...closeSteps(state)]),
    ...readings.flatMap(analyzeSteps),
    ...readings.flatMap(({ state }) => interruptedSteps(state)),
    ...readings.flatMap(({ state, drains }) => drains.flatMap((drain) => drainSteps(state, drain))),
    ...readings.flatMap((reading) => premaking(reading, true)),
    ...readings.flatMap(({ state, leaving }) => unmarkSteps(state, leaving)),
    ...readings.flatMap(({ state }) => [
      ...afterDetachSteps(state.detached),
      ...(archive === undefined ? [] : dropSteps(state, archive)),
    ]),
    ...readings.flatMap(leavingSteps),
  ];
  const findings = readings.flatMap((reading) => [
    ...reading.findings,
    ...(archive === undefined ? keptFindings(reading) : []),
  ]);
  return { plan: steps.length === 0 ? undefined : named(readings, steps), findings };
}

/** What the names of maintenance of these schemes begin with. */
export function maintenanceName(schemes: readonly Scheme[]): string {
  const tables = schemes.map((scheme) => {
    const { schema, table } = namesOf(scheme);
    return `${schema}.${table}`;
  });
  return `maintain-${tables.sort().join("+")}-`;
}

// The same work at once is one run, and the same work later is another.
function named(readings: readonly MaintenanceReading[], steps: readonly Step[]): Plan {
  const minute = (readings[0]?.state.now ?? "").replaceAll(/\D/g, "").slice(0, 12);
  const unnamed: Plan = { format: 1, name: "", steps };
  const prefix = maintenanceName(readings.map(({ state }) => state.scheme));
  return { ...unnamed, name: `${prefix}${minute}-${hashPlan(unnamed).slice(0, 8)}` };
}

function finalizing({ state }: MaintenanceReading): readonly Step[] {
  return state.partitions
    .filter(({ detachPending }) => detachPending)
    .map((member) => finalizeStep(state, member));
}

/**
 * What is made before the drains, and what after them: beside a default partition ATTACH is refused (23514) while that holds rows of
 * the new one.
 */
function premaking(
  { state, premakes, drains }: MaintenanceReading,
  beside: boolean,
): readonly Step[] {
  const parents = new Set(drains.map(({ parent }) => parent.oid));
  return premakeSteps(
    state.scheme,
    premakes.filter(({ parent }) => parents.has(parent) === beside),
  );
}

function leavingSteps({ state, leaving, details }: MaintenanceReading): readonly Step[] {
  return leaveSteps(
    state,
    leaving.flatMap((member) => {
      const known = details.get(member.oid);
      return known === undefined || known.referencedBy !== null ? [] : [{ member, details: known }];
    }),
  );
}

function keptFindings({ state }: MaintenanceReading): readonly Finding[] {
  return state.detached
    .filter(({ due }) => due)
    .map(({ schema, name, markedAt }) => ({
      check: "partition-kept",
      severity: "info",
      object: namedPath("table", schema, name),
      message: `it was detached at ${markedAt} and its grace period is over; nothing says where its rows are to go: maintain(db, schemes, { archive: { kind: "copy", directory } }), or { kind: "none" }`,
      repair: null,
    }));
}
