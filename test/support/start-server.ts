import { startServer } from "./server-process.ts";
import { MAJORS } from "./server-binaries.ts";

/** A program: starts a server, prints its pid and URL as JSON, and waits to be ended. */
const [major] = MAJORS;
startServer(major).then(
  ({ pid, url }) => {
    process.stdout.write(`${JSON.stringify({ pid, url })}\n`);
    process.stdin.resume();
  },
  (error: unknown) => {
    process.stderr.write(String(error));
    process.exitCode = 1;
  },
);
