import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { UnderpinError, type ErrorCode } from "../../errors.ts";
import type { LibpqVariables } from "./connection-of.ts";

/** What is called, and how. */
export interface ToolCall {
  readonly path: string;
  readonly args: readonly string[];
  readonly variables: LibpqVariables;
  readonly signal?: AbortSignal | undefined;
  /** What becomes of its output. @default it is thrown away */
  readonly output?: (stdout: Readable) => Promise<void>;
}

/** Of the surroundings only what a program needs: no PGSERVICE and no PGOPTIONS may lead it elsewhere. */
const KEPT = ["PATH", "HOME", "LD_LIBRARY_PATH", "TMPDIR", "SystemRoot"];

/** How much of what a tool says is kept. */
const MOST_SAID = 4_000;

/** Runs a client tool to its end; throws what it said where that is no good end. */
export async function runTool({ path, args, variables, signal, output }: ToolCall): Promise<void> {
  const { env } = process;
  const kept = Object.entries(env).filter(([name]) => KEPT.includes(name) || /^PGSSL/.test(name));
  const child = spawn(path, [...args], {
    env: { ...Object.fromEntries(kept), LC_ALL: "C", PGCONNECT_TIMEOUT: "15", ...variables },
    stdio: ["ignore", "pipe", "pipe"],
    ...(signal === undefined ? {} : { signal }),
  });
  let said = "";
  child.stderr
    .setEncoding("utf8")
    .on("data", (text: string) => (said = `${said}${text}`.slice(-MOST_SAID)));
  const ended = new Promise<number | string>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, killed) => resolve(code ?? killed ?? "?"));
  });
  const written = output === undefined ? child.stdout.resume() && undefined : output(child.stdout);
  // The end of the program is the news, where both fail.
  written?.catch(() => child.kill());
  let code: number | string;
  try {
    code = await ended;
  } catch (cause) {
    await written?.catch(() => undefined);
    throw failed(path, signal?.aborted === true ? "it was stopped as asked" : String(cause), cause);
  }
  await written;
  if (code !== 0) throw failed(path, `it ended with ${code}: ${said.trim()}`);
}

const MEANINGS: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [
    /row-level security|row security/i,
    "rowSecurity",
    "Dump as a role with BYPASSRLS or as a superuser: as the owner of a table under FORCE ROW LEVEL SECURITY some rows would be missing from the dump without a word.",
  ],
  [
    /permission denied/i,
    "missingRight",
    "Dump as the owner of all tables, or GRANT pg_read_all_data TO the login (rows under row security need BYPASSRLS too).",
  ],
  [
    /lock timeout|statement timeout|could not obtain lock/i,
    "blocked",
    "Somebody holds ACCESS EXCLUSIVE on a table: wait for the migration that does, then try again; or give more time: { lockWaitMs }.",
  ],
  [
    /server version mismatch/i,
    "unsupportedServer",
    "Install the client tools of the server's version.",
  ],
  [
    /connection to server|could not connect|no password supplied|authentication failed/i,
    "connection",
    "Name the server itself, not a pooler, with its password in the URL or in ~/.pgpass.",
  ],
  [
    /no matching (?:tables|schemas)/i,
    "invalidInput",
    'Names are taken as they are: { tables: [{ schema: "app", name: "orders" }] }.',
  ],
];

function failed(path: string, what: string, cause?: unknown): UnderpinError {
  const [, code, hint] = MEANINGS.find(([pattern]) => pattern.test(what)) ?? [
    undefined,
    "checkFailed" as const,
    "Nothing was left that looks like a whole backup. Mend the cause, and call it again.",
  ];
  return new UnderpinError({ code, message: `${path} failed: ${what}`, hint, cause });
}
