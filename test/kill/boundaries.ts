import {
  brandExecutor,
  type Executor,
  type Parameter,
  type Queryable,
  type Row,
  type Session,
} from "../../src/executor/executor.ts";

/** Where a call to the database is: about to be sent, on its way, or answered. */
export type Moment = "before" | "in flight" | "answered";

/** Is told every moment of every call, and may hold the call up, or end the process. */
export type Hook = (
  moment: Moment,
  call: { readonly text: string; readonly on: Queryable },
) => Promise<void> | void;

/**
 * Wraps a database so that a hook stands at every await on it: each query, and the begin, commit, opening and end of
 * transactions and sessions, and the setting and taking back of settings.
 */
export function withBoundaries(inner: Executor, hook: Hook): Executor {
  return brandExecutor({
    driver: inner.driver,
    query: (text, parameters) => callWithHook(inner, hook, text, parameters),
    transaction: (work) => transactionWithHook(inner, inner, hook, work),
    session: async (work) => {
      await hook("before", { text: "open a session", on: inner });
      const result = await inner.session(async (session) => {
        await hook("answered", { text: "open a session", on: session });
        const answer = await work(sessionWithHook(session, hook));
        await hook("before", { text: "end the session", on: session });
        return answer;
      });
      await hook("answered", { text: "end the session", on: inner });
      return result;
    },
  });
}

function sessionWithHook(session: Session, hook: Hook): Session {
  return {
    connectPid: session.connectPid,
    query: (text, parameters) => callWithHook(session, hook, text, parameters),
    transaction: (work) => transactionWithHook(session, session, hook, work),
    withSettings: async (settings, work) => {
      await hook("before", { text: "change settings", on: session });
      const result = await session.withSettings(settings, async () => {
        await hook("answered", { text: "change settings", on: session });
        const answer = await work();
        await hook("before", { text: "take settings back", on: session });
        return answer;
      });
      await hook("answered", { text: "take settings back", on: session });
      return result;
    },
  };
}

async function callWithHook<R extends Row>(
  on: Queryable,
  hook: Hook,
  text: string,
  parameters: readonly Parameter[] | undefined,
): Promise<readonly R[]> {
  await hook("before", { text, on });
  const answer = on.query<R>(text, parameters);
  // Its failure is met at the await below; until then it must not count as unhandled.
  answer.catch(() => {});
  await hook("in flight", { text, on });
  const rows = await answer;
  await hook("answered", { text, on });
  return rows;
}

async function transactionWithHook<T>(
  inner: Pick<Executor, "transaction">,
  outer: Queryable,
  hook: Hook,
  work: (transaction: Queryable) => Promise<T>,
): Promise<T> {
  await hook("before", { text: "begin", on: outer });
  const result = await inner.transaction(async (tx) => {
    await hook("answered", { text: "begin", on: tx });
    const answer = await work({
      query: (text, parameters) => callWithHook(tx, hook, text, parameters),
    });
    await hook("before", { text: "commit", on: tx });
    // Not awaited: the driver sends the commit when this function has returned.
    void hook("in flight", { text: "commit", on: tx });
    return answer;
  });
  await hook("answered", { text: "commit", on: outer });
  return result;
}
