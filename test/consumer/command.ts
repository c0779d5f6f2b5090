import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Runs a command to its end and returns what it wrote; throws with all of it when it fails. */
export function run(command: string, args: readonly string[], directory: string): string {
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
    cwd: directory,
    encoding: "utf8",
    timeout: 300_000,
  });
  if (error !== undefined) throw error;
  if (status !== 0)
    throw new Error(
      `${command} ${args.join(" ")} ended with ${status ?? String(signal)}:\n${stdout}${stderr}`,
    );
  return stdout.trim();
}
