#!/usr/bin/env node
import { toError } from "../errors.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { fail } from "./fail.ts";
import { runCli } from "./run-cli.ts";
import { paint, processTerminal } from "./terminal.ts";

const terminal = processTerminal(process);
const argv = process.argv.slice(2);
const stop = new AbortController();

for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    // What a shell shows for a process that a signal ended.
    if (stop.signal.aborted) process.exit(signal === "SIGINT" ? 130 : 143);
    terminal.err(
      `${paint(terminal, "yellow", "stopping")} after the statement or batch that is running; apply goes on from there later. Once more to end at once.`,
    );
    stop.abort();
  });

// A reader that went away (`underpin runs | head -1`) wants no more; that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? EXIT.done : EXIT.failed);
});

// A driver may throw outside of every promise when its server goes away.
process.on("uncaughtException", (error) =>
  end(fail(toError(error), terminal, argv.includes("--json"))),
);

/** Ends although a pool of the plan file may still be open, but not before all output is written. */
function end(code: ExitCode): void {
  process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
}

runCli(argv, { terminal, environment: process.env, signal: stop.signal }).then(end, (error) =>
  end(fail(error, terminal, argv.includes("--json"))),
);
