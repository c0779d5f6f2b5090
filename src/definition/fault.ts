/** One thing that is wrong with a definition. */
export interface DefinitionFault {
  /** The table, as `app.orders`. */
  readonly table: string;
  readonly column?: string;
  /** What is wrong, as the end of a sentence that begins with the table. */
  readonly what: string;
  /** What to write instead. */
  readonly fix: string;
}
