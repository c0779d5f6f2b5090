import { AsyncLocalStorage } from "node:async_hooks";
import { UnderpinError } from "../errors.ts";

/** What has the one session of a PGlite to itself, seen from the code that runs inside it. */
export interface Holder {
  readonly what: "transaction" | "session";
  /** The session that a transaction is in. */
  readonly outer: Holder | undefined;
  over: boolean;
}

/** What is known of one PGlite. */
export interface PgliteState {
  /** Its own parsers, for their keys. */
  readonly parsers: object;
  readonly holder: AsyncLocalStorage<Holder>;
  /** Why it can no longer be trusted. */
  broken: UnderpinError | undefined;
  /** How much was written since the write-ahead log was last looked at. */
  written: number;
  /** Resolves when the last one in the queue is done. */
  turn: Promise<unknown>;
}

const STATE = Symbol.for("underpin.pglite");

/**
 * The state of a PGlite, kept on it: whichever executor, and whichever copy of this package, works on it must see the
 * same one, or a transaction of one would not be seen by the other.
 */
export function stateOf(pglite: { readonly parsers: object }): PgliteState {
  const keeper = pglite as { readonly parsers: object; [STATE]?: PgliteState };
  if (keeper[STATE] === undefined) {
    const fresh: PgliteState = {
      parsers: keeper.parsers,
      holder: new AsyncLocalStorage(),
      broken: undefined,
      written: 0,
      turn: Promise.resolve(),
    };
    Object.defineProperty(keeper, STATE, { value: fresh });
    return fresh;
  }
  return keeper[STATE];
}

/**
 * Runs `work` when all who asked before are done. Whoever is inside a transaction or session of this PGlite would wait for
 * himself for ever, and is refused.
 */
export async function inTurn<T>(
  state: PgliteState,
  text: string,
  work: () => Promise<T>,
): Promise<T> {
  for (let holder = state.holder.getStore(); holder !== undefined; holder = holder.outer)
    if (!holder.over) throw waitsForItself(text, holder);
  const turn = state.turn.then(work);
  // A failure is its owner's; who comes next only waits for the end.
  state.turn = turn.catch(() => undefined);
  return turn;
}

/** Marks what runs inside `work`, and all that it starts, as the holder of the session. */
export async function holding<T>(
  state: PgliteState,
  what: Holder["what"],
  work: () => Promise<T>,
): Promise<T> {
  const holder: Holder = { what, outer: state.holder.getStore(), over: false };
  try {
    return await state.holder.run(holder, work);
  } finally {
    holder.over = true;
  }
}

function waitsForItself(text: string, { what }: Holder): UnderpinError {
  return new UnderpinError({
    code: "embeddedLimit",
    message: `"${text.slice(0, 60)}" was sent past the open ${what} of this PGlite, which has only one: it would wait for itself for ever`,
    hint: `Use the ${what} that your callback was given. Inside a transaction, nest with SAVEPOINT.`,
  });
}

/** Marks a PGlite as broken, for all who use it. */
export function breakPglite(state: PgliteState, why: string, cause?: unknown): UnderpinError {
  state.broken ??= new UnderpinError({
    code: "embeddedLimit",
    message: `this PGlite can no longer be trusted: ${why}`,
    hint: "Close it and open a new one. When WebAssembly runs out of stack, split the expression or the recursion, or start node with --stack-size=3900.",
    cause,
  });
  return state.broken;
}
