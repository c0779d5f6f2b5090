/** How a table is to become a partitioned one. */
export type ConversionStrategy = "copy" | "attach";

/** What one way of a conversion would take. */
export interface StrategyCheck {
  /** Why it is refused; null where it can be. */
  readonly refused: { readonly message: string; readonly hint: string } | null;
  /** Beside what is there: both tables, or the new indexes. */
  readonly bytesNeeded: number;
  /** By a sample, with nobody else at work; null where none could be taken. */
  readonly durationMs: number | null;
}
