import type { Excess } from "./assess-health.ts";

/** A figure that went above its threshold, or came back. */
export interface AlertEdge extends Excess {
  readonly state: "raised" | "cleared";
  /** Since when it is, or was, above; ISO 8601, by the server's clock where it answered. */
  readonly since: string;
}

/** A figure on the edge goes to and fro: it is back when it was not above this many times in a row. */
const CALM_SAMPLES = 2;

interface Raised {
  readonly excess: Excess;
  readonly since: string;
  readonly calm: number;
}

/** Remembers what is above, and returns what changed: each figure is raised once and cleared once. */
export function edges() {
  let raised: ReadonlyMap<string, Raised> = new Map();
  return {
    /** All that is above in a sample, taken at `clock`. */
    seen(excesses: readonly Excess[], clock: string): readonly AlertEdge[] {
      const now = new Map(excesses.map((excess) => [keyOf(excess), excess]));
      const next = new Map<string, Raised>();
      const changes: AlertEdge[] = [];
      for (const [key, former] of raised) {
        const excess = now.get(key);
        // That the database answers needs no second proof.
        const calm = former.excess.name === "noSample" ? CALM_SAMPLES : former.calm + 1;
        if (excess !== undefined) next.set(key, { ...former, excess, calm: 0 });
        else if (calm < CALM_SAMPLES) next.set(key, { ...former, calm });
        else changes.push({ ...former.excess, state: "cleared", since: former.since });
      }
      for (const [key, excess] of now) {
        if (raised.has(key)) continue;
        next.set(key, { excess, since: clock, calm: 0 });
        changes.push({ ...excess, state: "raised", since: clock });
      }
      raised = next;
      return changes;
    },
    /** There is no sample: what was above stays so, since nobody knows. */
    missing(excess: Excess): readonly AlertEdge[] {
      if (raised.has(keyOf(excess))) return [];
      const since = new Date().toISOString();
      raised = new Map([...raised, [keyOf(excess), { excess, since, calm: 0 }]]);
      return [{ ...excess, state: "raised", since }];
    },
  };
}

function keyOf({ name, subject }: Excess): string {
  return JSON.stringify([name, subject]);
}
