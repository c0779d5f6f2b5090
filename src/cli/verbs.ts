import type { Verb } from "./call.ts";
import { applyVerb } from "./verb-apply.ts";
import { backfillVerb } from "./verb-backfill.ts";
import { backupVerb } from "./verb-backup.ts";
import { baselineVerb } from "./verb-baseline.ts";
import { checkVerb } from "./verb-check.ts";
import { confirmVerb, pauseVerb, resumeVerb } from "./verb-control.ts";
import { doctorVerb } from "./verb-doctor.ts";
import { driftVerb } from "./verb-drift.ts";
import { generateVerb } from "./verb-generate.ts";
import { initVerb } from "./verb-init.ts";
import { lintVerb } from "./verb-lint.ts";
import { migrateVerb } from "./verb-migrate.ts";
import { partitionsVerb } from "./verb-partitions.ts";
import { planVerb } from "./verb-plan.ts";
import { rehearseVerb } from "./verb-rehearse.ts";
import { repairVerb } from "./verb-repair.ts";
import { rollbackVerb } from "./verb-rollback.ts";
import { runsVerb } from "./verb-runs.ts";
import { squashVerb } from "./verb-squash.ts";
import { statusVerb } from "./verb-status.ts";
import { undoVerb } from "./verb-undo.ts";
import { verifyVerb } from "./verb-verify.ts";
import { watchVerb } from "./verb-watch.ts";

/** The verbs, in the order of the help. */
export const VERBS: readonly Verb[] = [
  initVerb,
  generateVerb,
  checkVerb,
  migrateVerb,
  rollbackVerb,
  statusVerb,
  baselineVerb,
  squashVerb,
  repairVerb,
  lintVerb,
  verifyVerb,
  driftVerb,
  planVerb,
  rehearseVerb,
  applyVerb,
  undoVerb,
  runsVerb,
  pauseVerb,
  resumeVerb,
  confirmVerb,
  backfillVerb,
  partitionsVerb,
  backupVerb,
  watchVerb,
  doctorVerb,
];
