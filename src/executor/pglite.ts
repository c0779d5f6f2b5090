import { isUnderpinError } from "../errors.ts";
import {
  brandExecutor,
  type Executor,
  type Parameter,
  type Queryable,
  type Row,
  type Session,
} from "./executor.ts";
import { isOver, nestedTransaction } from "./lost.ts";
import { failureOf, runOnPglite, type PgliteQueryable } from "./pglite-run.ts";
import { checkpointIfDue } from "./pglite-checkpoint.ts";
import { breakPglite, holding, inTurn, stateOf, type PgliteState } from "./pglite-state.ts";
import { alterSettings } from "./settings.ts";

/** What is used of a PGlite. */
export interface PgliteLike extends PgliteQueryable {
  readonly parsers: object;
  transaction<T>(work: (transaction: PgliteQueryable) => Promise<T>): Promise<T>;
}

const READ_COMMITTED = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE";

/**
 * An executor over a PGlite, with the guards that one session in one process needs.
 *
 * Its sessions are exclusive among all executors of this PGlite. What the host sends to the PGlite itself goes past that.
 */
export function fromPglite(pglite: PgliteLike): Executor {
  const state = stateOf(pglite);
  return brandExecutor({
    driver: "pglite",
    query: <R extends Row>(text: string, parameters: readonly Parameter[] = []) =>
      inTurn(state, text, async () => {
        const rows = await runOnPglite(state, pglite, text, parameters);
        await checkpointIfDue(state, pglite);
        return rows as readonly R[];
      }),
    transaction: (work) =>
      inTurn(state, "BEGIN", async () => {
        const result = await transaction(state, pglite, work);
        await checkpointIfDue(state, pglite);
        return result;
      }),
    session: (work) =>
      inTurn(state, "a session", async () => {
        const result = await holding(state, "session", () => session(state, pglite, work));
        await checkpointIfDue(state, pglite);
        return result;
      }),
  });
}

async function transaction<T>(
  state: PgliteState,
  pglite: PgliteLike,
  work: (transaction: Queryable) => Promise<T>,
): Promise<T> {
  let over = false;
  let failure: unknown;
  let thrown: unknown;
  try {
    return await pglite.transaction((inner) =>
      holding(state, "transaction", async () => {
        await runOnPglite(state, inner, READ_COMMITTED, []);
        const query = async <R extends Row>(
          text: string,
          parameters: readonly Parameter[] = [],
        ) => {
          if (over) throw isOver("transaction");
          try {
            return (await runOnPglite(state, inner, text, parameters)) as readonly R[];
          } catch (error) {
            failure ??= error;
            throw error;
          }
        };
        const result = await work({ query });
        over = true;
        // Where a failure was caught without a savepoint COMMIT would roll back: this fails then.
        if (failure !== undefined)
          await runOnPglite(state, inner, "SELECT", []).catch(() => {
            throw failure;
          });
        return result;
      }).catch((error: unknown) => {
        thrown = error;
        throw error;
      }),
    );
  } catch (error) {
    // What PGlite itself says to BEGIN and COMMIT has not been made our own yet.
    throw error === thrown ? error : failureOf(state, error, "COMMIT");
  } finally {
    over = true;
  }
}

async function session<T>(
  state: PgliteState,
  pglite: PgliteLike,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  let over = false;
  let inside: Queryable | undefined;
  const query = async <R extends Row>(text: string, parameters: readonly Parameter[] = []) => {
    if (over) throw isOver("session");
    // Past its open transaction it would wait for ever; on a server this too runs inside.
    if (inside !== undefined) return inside.query<R>(text, parameters);
    return (await runOnPglite(state, pglite, text, parameters)) as readonly R[];
  };
  try {
    return await work({
      connectPid: undefined,
      query,
      async transaction(inner) {
        if (over) throw isOver("session");
        if (inside !== undefined) throw nestedTransaction();
        try {
          return await transaction(state, pglite, (opened) => inner((inside = opened)));
        } finally {
          inside = undefined;
        }
      },
      async withSettings(settings, inner) {
        const restore = await alterSettings({ query }, settings);
        try {
          return await inner();
        } finally {
          // There is no other connection to go on with.
          await restore().catch((error: unknown) => {
            if (!isUnderpinError(error))
              breakPglite(state, "settings could not be restored", error);
          });
        }
      },
    });
  } finally {
    over = true;
  }
}
