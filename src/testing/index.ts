export { expectLocks } from "./expect-locks.ts";
