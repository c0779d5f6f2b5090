/**
 * Server settings that every sandbox starts with, for PGlite 0.5.
 *
 * PGlite checks the stack against 2 MB while WebAssembly has one, so that deep recursion loses statements without an
 * error; 300kB turns function and trigger recursion into a clean 54001. It has no checkpointer, so the log is kept
 * from growing. 16 MB of buffers instead of 128 make an instance some 50 MB smaller and its dump five times faster.
 */
export const START_SETTINGS: readonly string[] = [
  "max_stack_depth=300kB",
  "shared_buffers=16MB",
  "max_wal_size=64MB",
  "min_wal_size=32MB",
  "wal_recycle=off",
];

/** For a new data directory: log segments of 1 MB instead of 16, so that a dump is 29 MB and not 43. */
export const INITDB_PARAMETERS: readonly string[] = ["--wal-segsize=1"];
