import { BaseSequencer, type TestSpecification } from "vitest/node";

/** What takes longest, first of all: begun last, one of them would keep one core busy while the others have nothing left. */
const LONGEST = [
  "test/kill/kill.test.ts",
  "test/contract/online-recipes.test.ts",
  "test/contract/upkeep.test.ts",
  "test/contract/partitions.test.ts",
  "test/schema/supabase-domains.test.ts",
  "test/install/sabotage.test.ts",
  "test/partitioning/granularity.test.ts",
  "test/partitioning/reshape.test.ts",
  "test/contract/recipes.test.ts",
  "test/contract/sync-recipes.test.ts",
  "test/schema/all-five.test.ts",
  "test/server/backfill.test.ts",
  "test/server/health-replication.test.ts",
  "test/pglite/docs-examples.test.ts",
];

/** The longest files first also where nothing remembers a run: by itself Vitest would go by the size of the files. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification) => {
      const place = LONGEST.findIndex((file) => moduleId.endsWith(file));
      return place === -1 ? LONGEST.length : place;
    };
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}
