import type { Verb } from "./call.ts";
import { applyVerb } from "./verb-apply.ts";
import { backfillVerb } from "./verb-backfill.ts";
import { backupVerb } from "./verb-backup.ts";
import { confirmVerb, pauseVerb, resumeVerb } from "./verb-control.ts";
import { doctorVerb } from "./verb-doctor.ts";
import { partitionsVerb } from "./verb-partitions.ts";
import { planVerb } from "./verb-plan.ts";
import { rehearseVerb } from "./verb-rehearse.ts";
import { runsVerb } from "./verb-runs.ts";
import { undoVerb } from "./verb-undo.ts";
import { watchVerb } from "./verb-watch.ts";

/** The verbs, in the order of the help. */
export const VERBS: readonly Verb[] = [
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
