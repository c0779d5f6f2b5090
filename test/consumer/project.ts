import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "./command.ts";

/** An application's project, empty at first. */
export interface Project {
  readonly directory: string;
  install(...packages: string[]): void;
  has(packageName: string): boolean;
  write(file: string, text: string): void;
  /** Runs a text as an ES module and returns what it printed. */
  runModule(text: string): string;
  /** The same as CommonJS. */
  runCommonJs(text: string): string;
}

export function createProject(directory: string): Project {
  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), text);
  };
  const runFile = (file: string, text: string): string => {
    write(file, text);
    return run(process.execPath, [file], directory);
  };
  write("package.json", JSON.stringify({ name: "application", private: true }));
  return {
    directory,
    write,
    install(...packages) {
      const flags = ["--prefer-offline", "--no-audit", "--no-fund"];
      run("npm", ["install", ...flags, ...packages], directory);
    },
    has: (packageName) => existsSync(join(directory, "node_modules", packageName)),
    runModule: (text) => runFile("program.mjs", text),
    runCommonJs: (text) => runFile("program.cjs", text),
  };
}
