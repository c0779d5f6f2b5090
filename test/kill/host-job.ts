import type { Plan } from "../../src/plan/step.ts";
import type { RunEvent } from "../../src/run/events.ts";
import type { RunOptions } from "../../src/run/options.ts";
import type { Report } from "../../src/run/report.ts";
import type { KillPoint, NamedPoint } from "./kill-points.ts";

/** What a host process is to do. */
export interface HostJob {
  readonly url: string;
  /** Where steps outside transactions go, when `url` leads through a pooler. */
  readonly directUrl?: string;
  /** Connections of its pool. @default 3 */
  readonly connections?: number;
  /** `applyThrough` confirms each gate that it comes to. */
  readonly task: "apply" | "applyThrough" | "undo";
  readonly plan: Plan;
  readonly options: Omit<RunOptions, "handlers" | "signal" | "onEvent" | "direct">;
  /** The schema to whose tables the handlers of `call` steps write. */
  readonly handlersWriteTo: string;
  /** Where it kills itself with SIGKILL. */
  readonly killAt?: KillPoint;
  /** It stops itself with SIGSTOP before it sends the first call whose text holds this. */
  readonly freezeBefore?: string;
  /** Report every point that was passed. */
  readonly trace?: boolean;
  /** Tell events as they come. */
  readonly events?: boolean;
}

/** What a host process says. */
export type HostMessage =
  | { readonly type: "ready" }
  | { readonly type: "dying"; readonly point: NamedPoint }
  | { readonly type: "freezing" }
  | { readonly type: "event"; readonly event: RunEvent }
  | { readonly type: "report"; readonly report: Report; readonly points?: readonly NamedPoint[] }
  | { readonly type: "threw"; readonly message: string; readonly code?: string };
