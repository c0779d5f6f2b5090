import type { Figure } from "./figure.ts";

/** What a bench gets to work with. */
export interface BenchContext {
  /** A superuser's URL of an empty database of its own, which is dropped afterwards. */
  readonly url: string;
  /** The server's major version. */
  readonly major: number;
  /** Says what goes on; it goes to standard error, so that it never mixes with figures. */
  readonly say: (line: string) => void;
}

/** One bench: the figures it yields, the main one first. */
export type Bench = (context: BenchContext) => Promise<readonly Figure[]>;

/** What the module of a bench exports. */
export interface BenchModule {
  readonly bench: Bench;
  /** What the server that is started for it is set to, besides what all have. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** All benches by name. Each is loaded only when it runs. */
export const BENCHES: Readonly<Record<string, () => Promise<BenchModule>>> = {
  backfill: () => import("./backfill.ts"),
  conversions: () => import("./conversions.ts"),
  engine: () => import("./engine.ts"),
  facts: () => import("./facts.ts"),
  import: () => import("./import.ts"),
  maintain: () => import("./maintain.ts"),
  partitions: () => import("./partitions.ts"),
  partman: () => import("./partman.ts"),
  provision: () => import("./provision.ts"),
  "recipe-waits": () => import("./recipe-waits.ts"),
  rls: () => import("./rls.ts"),
  runner: () => import("./runner.ts"),
};
