import { toError } from "../errors.ts";
import type { BackfillProgress } from "./backfill/backfill-progress.ts";
import type { Blocker } from "./blockers.ts";

/** What happens during a run, for logs and progress bars. Events are told; they cannot change an outcome. */
export type RunEvent =
  | {
      readonly type: "runStarted";
      readonly plan: string;
      readonly steps: number;
      readonly resumed: boolean;
    }
  | { readonly type: "busy"; readonly plan: string; readonly owner: string }
  | { readonly type: "takenOver"; readonly plan: string; readonly terminatedPid: number }
  | {
      readonly type: "stepStarted";
      readonly step: string;
      readonly title: string;
      readonly sql?: string;
    }
  | {
      readonly type: "stepApplied";
      readonly step: string;
      readonly title: string;
      readonly elapsedMs: number;
    }
  | {
      readonly type: "stepUndone";
      readonly step: string;
      readonly title: string;
      readonly elapsedMs: number;
    }
  | { readonly type: "stepRepaired"; readonly step: string; readonly sql: string }
  | {
      readonly type: "blocked";
      readonly step: string;
      readonly blockers: readonly Blocker[];
      readonly restMs: number;
    }
  | {
      readonly type: "retrying";
      readonly step: string;
      readonly attempt: number;
      readonly reason: string;
      readonly restMs: number;
    }
  | {
      readonly type: "reconnecting";
      readonly attempt: number;
      readonly reason: string;
      readonly restMs: number;
    }
  | {
      readonly type: "progress";
      readonly step: string;
      readonly rowsChanged: number;
      /** The planner's estimate of the table's rows; undefined where the table was never analysed. */
      readonly rowsEstimated: number | undefined;
      /** How far all workers on all hosts have come. */
      readonly backfill?: BackfillProgress;
    }
  | {
      readonly type: "rowSetAside";
      readonly step: string;
      readonly key: readonly string[];
      readonly message: string;
      readonly sqlState: string | undefined;
    }
  /** The pace is lower for this reason; without one it is as it was. */
  | {
      readonly type: "throttled";
      readonly step: string;
      readonly reason: string | undefined;
      readonly restMs: number;
    }
  /** It pauses by itself. */
  | { readonly type: "pausing"; readonly plan: string; readonly reason: string }
  | { readonly type: "gateWaiting"; readonly step: string; readonly question: string }
  | {
      readonly type: "stepFailed";
      readonly step: string;
      readonly message: string;
      readonly sqlState: string | undefined;
    }
  | { readonly type: "watchFailed"; readonly step: string; readonly message: string }
  | { readonly type: "observerFailed"; readonly message: string }
  | { readonly type: "runEnded"; readonly plan: string; readonly outcome: string };

/** Receives events. */
export type Observer = (event: RunEvent) => void;

/** Wraps an observer so that its own failure is reported to it once and otherwise ignored. */
export function safeObserver(observer: Observer | undefined): Observer {
  if (observer === undefined) return () => {};
  let told = false;
  const tellFailure = (error: unknown) => {
    if (told) return;
    told = true;
    try {
      observer({ type: "observerFailed", message: toError(error).message });
    } catch {
      // An observer that cannot even hear of its own failure is left alone: a run never fails by being watched.
    }
  };
  return (event) => {
    try {
      // An async function is a fine observer too; nobody waits for it.
      const answer: unknown = observer(event);
      if (typeof answer === "object" && answer !== null && "then" in answer)
        Promise.resolve(answer).catch(tellFailure);
    } catch (error) {
      tellFailure(error);
    }
  };
}
