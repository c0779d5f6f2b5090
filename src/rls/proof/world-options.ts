/** What a row is made from, for {@link WorldOptions.generate}. */
export interface RowToMake {
  /** The tenant's id; null for a table without tenant. */
  readonly tenant: string | null;
  /** Rank of the tenant, from 0. */
  readonly tenantIndex: number;
  /** Rank of the row within its tenant, from 0. */
  readonly row: number;
  /** What was worked out for it, as text by column. */
  readonly values: Readonly<Record<string, string | null>>;
  /** The rows of the same tenant that were worked out for another table, by its name. */
  readonly rowsOf: (table: string) => readonly Readonly<Record<string, string | null>>[];
}

/** How the rows of a proof are made. */
export interface WorldOptions {
  /** Of what the ids are made: the same seed makes the same rows. @default 1 */
  readonly seed?: number;
  /** @default 2 */
  readonly tenants?: 2 | 3;
  /** Rows of each tenant in each table. @default 4 */
  readonly rowsPerTenant?: number;
  /**
   * Values for tables whose checks cannot be guessed, by the name of the table: columns of the database, as text. Called for each row, after
   * its keys are worked out.
   */
  readonly generate?: Readonly<
    Record<string, (row: RowToMake) => Readonly<Record<string, string | null>>>
  >;
}
