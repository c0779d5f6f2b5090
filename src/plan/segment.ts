import type { Step } from "./step.ts";

/** Steps that share one transaction, or one step that must be alone. */
export interface Segment<S extends Segmentable = Step> {
  readonly transaction: boolean;
  readonly steps: readonly S[];
}

/** What segmenting looks at. */
export type Segmentable = Pick<Step, "kind"> & { readonly transaction?: string };

/**
 * Cuts steps into transactions. Moves the borders of transactions only, never the order.
 *
 * SQL and checks share a transaction until one says `commitAfter`. What runs outside, waits for people, calls the host or
 * commits by itself stands alone.
 */
export function segment<S extends Segmentable>(steps: readonly S[]): readonly Segment<S>[] {
  const segments: Segment<S>[] = [];
  let open: S[] = [];
  const close = () => {
    if (open.length > 0) segments.push({ transaction: true, steps: open });
    open = [];
  };
  for (const step of steps) {
    const shares = (step.kind === "sql" || step.kind === "check") && step.transaction !== "outside";
    if (shares) {
      open.push(step);
      if (step.transaction === "commitAfter") close();
    } else {
      close();
      segments.push({ transaction: false, steps: [step] });
    }
  }
  close();
  return segments;
}
