import { AsyncLocalStorage } from "node:async_hooks";
import { UnderpinError } from "../errors.ts";
import {
  brandExecutor,
  type Executor,
  type Parameter,
  type Queryable,
  type Row,
  type Session,
} from "./executor.ts";
import { isStatement, refuseForPglite } from "./pglite-guard.ts";
import { alterSettings } from "./settings.ts";

interface PgliteResult {
  readonly rows: readonly Row[];
  /** Missing where PGlite lost the statement. */
  readonly command?: string;
  readonly affectedRows?: number;
}

interface PgliteQueryable {
  query(text: string, parameters?: unknown[]): Promise<PgliteResult>;
  exec(text: string): Promise<readonly PgliteResult[]>;
}

/** The part of a PGlite that is used here. */
export interface PgliteLike extends PgliteQueryable {
  transaction<T>(work: (transaction: PgliteQueryable) => Promise<T>): Promise<T>;
}

/** What is known of one PGlite, whichever executor and copy of this package asks. */
interface PgliteState {
  readonly inside: AsyncLocalStorage<true>;
  poisoned: UnderpinError | undefined;
  rowsSinceCheckpoint: number;
}

const STATE = Symbol.for("underpin.pglite");

function stateOf(pglite: PgliteLike): PgliteState {
  const holder = pglite as PgliteLike & { [STATE]?: PgliteState };
  if (holder[STATE] === undefined)
    Object.defineProperty(holder, STATE, {
      value: { inside: new AsyncLocalStorage(), poisoned: undefined, rowsSinceCheckpoint: 0 },
    });
  return holder[STATE] as PgliteState;
}

/** Changed rows after which the write-ahead log is cut: PGlite has no checkpointer, and its log would only grow. */
const ROWS_PER_CHECKPOINT = 20_000;

/** Adapts a PGlite, with the guards that its one session in one process needs. */
export function fromPglite(pglite: PgliteLike): Executor {
  const state = stateOf(pglite);
  const outer: Queryable = {
    query: async (text, parameters) => {
      if (state.inside.getStore() === true) throw outerInside(text);
      return run(state, pglite, text, parameters);
    },
  };
  const transaction: Executor["transaction"] = async (work) => {
    if (state.inside.getStore() === true) throw outerInside("BEGIN");
    const result = await pglite.transaction((tx) =>
      state.inside.run(true, async () => {
        await run(state, tx, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE");
        return work({ query: (text, parameters) => run(state, tx, text, parameters) });
      }),
    );
    await checkpoint(state, pglite);
    return result;
  };
  const session: Session = {
    connectPid: undefined,
    query: outer.query,
    transaction,
    async withSettings(settings, work) {
      const restore = await alterSettings(outer, settings);
      try {
        return await work();
      } finally {
        await restore().catch(() => {
          state.poisoned ??= poisoned("its settings could not be taken back");
        });
      }
    },
  };
  return brandExecutor({
    driver: "pglite",
    query: outer.query,
    transaction,
    session: (work) => work(session),
  });
}

async function run<R extends Row>(
  state: PgliteState,
  on: PgliteQueryable,
  text: string,
  parameters?: readonly Parameter[],
): Promise<readonly R[]> {
  if (state.poisoned !== undefined) throw state.poisoned;
  refuseForPglite(text);
  const results = await (
    parameters === undefined ? on.exec(text) : on.query(text, [...parameters]).then((r) => [r])
  ).catch((error: unknown): never => {
    throw brief(error);
  });
  const last = results.at(-1);
  if (isStatement(text) && results.every(({ command }) => command === undefined)) {
    state.poisoned = poisoned(`it lost the statement ${text.slice(0, 80)}`);
    throw state.poisoned;
  }
  state.rowsSinceCheckpoint += results.reduce((sum, r) => sum + (r.affectedRows ?? 0), 0);
  return (last?.rows ?? []) as readonly R[];
}

async function checkpoint(state: PgliteState, pglite: PgliteLike): Promise<void> {
  if (state.rowsSinceCheckpoint < ROWS_PER_CHECKPOINT) return;
  state.rowsSinceCheckpoint = 0;
  await pglite.exec("CHECKPOINT");
}

/** An error of PGlite carries its minified source, hundreds of kilobytes, in its stack: only the head is kept. */
function brief(error: unknown): unknown {
  if (error instanceof Error && error.stack !== undefined && error.stack.length > 4_000)
    error.stack = `${error.name}: ${error.message}`;
  return error;
}

function outerInside(text: string): UnderpinError {
  return new UnderpinError({
    code: "embeddedLimit",
    message: `"${text.slice(0, 60)}" was sent past the open transaction of this PGlite: it would wait for itself for ever`,
    hint: "Use the transaction that your callback was given; inside it, nest with SAVEPOINT.",
  });
}

function poisoned(why: string): UnderpinError {
  return new UnderpinError({
    code: "embeddedLimit",
    message: `this PGlite can no longer be trusted: ${why}`,
    hint: "Close it and open a new one. A statement is lost when the stack of WebAssembly runs over: make the expression shorter, or start node with --stack-size=3900.",
  });
}
