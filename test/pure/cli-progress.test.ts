import { describe, expect, it } from "vitest";
import { progressTeller } from "../../src/cli/progress.ts";
import { count, duration } from "../../src/cli/figures.ts";
import { shellWord } from "../../src/cli/shell-word.ts";
import type { Terminal } from "../../src/cli/terminal.ts";

function recorder(options: Partial<Terminal> = {}) {
  const written: string[] = [];
  const terminal: Terminal = {
    out: (text) => void written.push(`${text}\n`),
    err: () => {},
    raw: (text) => void written.push(text),
    interactive: true,
    colour: false,
    columns: 60,
    ...options,
  };
  return { terminal, text: () => written.join("") };
}

const ESCAPE = "\u001b";

describe("progress", () => {
  it("draws a bar over itself on a terminal, no wider than the terminal, and clears it before the next line", () => {
    const { terminal, text } = recorder();
    const tell = progressTeller(terminal, "begins");
    tell({ type: "progress", step: "fill", rowsChanged: 5_000, rowsEstimated: 10_000 });
    tell({ type: "stepApplied", step: "fill", title: "Fill", elapsedMs: 12 });
    const [bar, line] = text().split(`\r${ESCAPE}[2K`).slice(1);
    expect(bar).toContain(`${"█".repeat(12)}${"░".repeat(12)} 5,000 of about 10,000 rows`);
    expect(bar?.length).toBeLessThan(60);
    expect(line).toBe("  ✓ fill Fill, 12 ms\n");
  });

  it("writes no control characters into a pipe", () => {
    const { terminal, text } = recorder({ interactive: false });
    const tell = progressTeller(terminal, "begins");
    tell({ type: "runStarted", plan: "p", steps: 1, resumed: true });
    tell({ type: "progress", step: "fill", rowsChanged: 5, rowsEstimated: undefined });
    tell({ type: "stepFailed", step: "fill", message: "no", sqlState: undefined });
    expect(text()).not.toContain(ESCAPE);
    expect(text()).toContain("p: goes on\n");
  });

  it("shows no estimate that the rows have overtaken", () => {
    const { terminal, text } = recorder();
    const tell = progressTeller(terminal, "begins");
    tell({ type: "progress", step: "fill", rowsChanged: 12, rowsEstimated: 10 });
    expect(text()).toContain(`${"█".repeat(24)} 12 rows`);
  });

  it("paints only where colour is wanted", () => {
    const painted = recorder({ colour: true });
    const plain = recorder();
    for (const { terminal } of [painted, plain])
      progressTeller(
        terminal,
        "begins",
      )({ type: "stepUndone", step: "a", title: "A", elapsedMs: 1 });
    expect(painted.text()).toContain(`${ESCAPE}[32m↶${ESCAPE}[0m`);
    expect(plain.text()).not.toContain(ESCAPE);
  });
});

describe("figures", () => {
  it("are as a person would say them", () => {
    expect(count(1_234_567)).toBe("1,234,567");
    expect([0.4, 999, 1_000, 59_949, 60_000, 3_599_000, 5_400_000].map(duration)).toEqual([
      "0 ms",
      "999 ms",
      "1.0 s",
      "59.9 s",
      "1 min",
      "1 h 00 min",
      "1 h 30 min",
    ]);
  });
});

describe("a word for the shell", () => {
  it("is quoted where a shell would take it apart", () => {
    expect(["tenant", "a/b.ts", "a b", "it's", "$(x)"].map(shellWord)).toEqual([
      "tenant",
      "a/b.ts",
      "'a b'",
      `'it'\\''s'`,
      "'$(x)'",
    ]);
  });
});
