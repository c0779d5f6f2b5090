import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** Another process that runs a TypeScript program beside this file. */
export interface TypescriptProcess {
  readonly child: ChildProcessWithoutNullStreams;
  /** The next line of its standard output; rejects with its standard error when there is none. */
  line(): Promise<string>;
  /** Its exit code, or the signal that killed it. */
  readonly ended: Promise<number | string>;
}

/** Starts `name` (a file of this folder) with Node.js, as source. */
export function runTypescript(
  name: string,
  args: readonly string[] = [],
  nodeFlags: readonly string[] = [],
): TypescriptProcess {
  const file = fileURLToPath(new URL(name, import.meta.url));
  const child = spawn(process.execPath, [...nodeFlags, "--import", "tsx", file, ...args]);
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    line: async () => {
      const next = await lines.next();
      if (next.done === true) throw new Error(`${name} said nothing more: ${errors}`);
      return next.value;
    },
    ended: new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => resolve(code ?? signal ?? "unknown"));
    }),
  };
}
