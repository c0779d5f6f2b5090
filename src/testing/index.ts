export { asPersona } from "./as-persona.ts";
export {
  createTestDatabase,
  type TestDatabase,
  type TestDatabaseOptions,
} from "./create-test-database.ts";
export { expectLocks, type ExpectLocksOptions, type MeasuredStep } from "./expect-locks.ts";
export { expectReversible, type ExpectReversibleOptions } from "./expect-reversible.ts";
export type { MeasuredLock } from "../run/measure/measure-locks.ts";
