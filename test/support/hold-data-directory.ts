import { lockDataDirectory } from "../../src/sandbox/data-directory-lock.ts";

/**
 * A program: takes the lock of a data directory, says "held" or why not, and then holds it until its standard input
 * ends (and it leaves the usual way) or it is killed.
 */
const directory = process.argv[2] ?? "";
try {
  lockDataDirectory(directory);
  process.stdout.write("held\n");
  process.stdin.resume();
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`);
}
