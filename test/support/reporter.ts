import type { Reporter, TestModule } from "vitest/node";
import type { SerializedError } from "vitest";
import "./provided.ts";
import { renderTally, type TestOutcome } from "./tally.ts";

/** Prints the tally as the last lines of a run; to be named after the other reporters. */
export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const tests = modules.flatMap(outcomesOf);
    // A file that does not load, or a hook that fails, has no failed test to show for it.
    const broken = modules.filter(
      (module) => module.state() === "failed" && !outcomesOf(module).some(isFailed),
    );
    const lines = renderTally(tests, broken.length + unhandled.length);
    process.stdout.write(`${lines.join("\n")}\n`);
  }
}

function outcomesOf(module: TestModule): TestOutcome[] {
  return Array.from(module.children.allTests(), (test) => ({
    state: test.result().state,
    engine: test.meta().engine,
    skipReason: test.meta().skipReason,
    file: module.relativeModuleId,
  }));
}

function isFailed({ state }: TestOutcome): boolean {
  return state === "failed";
}
