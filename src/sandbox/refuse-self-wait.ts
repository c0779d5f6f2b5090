import { AsyncLocalStorage } from "node:async_hooks";
import type { PGlite } from "@electric-sql/pglite";
import { UnderpinError } from "../errors.ts";

/**
 * Makes a PGlite refuse a call on itself from inside its own transaction, also when the call comes through Drizzle.
 *
 * PGlite 0.5 has one session behind a queue: such a call waits for the transaction, which waits for the call, and a
 * test hangs without a word.
 */
export function refuseSelfWait(client: PGlite): void {
  const inside = new AsyncLocalStorage<{ open: boolean }>();
  const isInside = (): boolean => inside.getStore()?.open === true;
  const query = client.query.bind(client);
  const exec = client.exec.bind(client);
  const transaction = client.transaction.bind(client);
  client.query = async (text, parameters, options) => {
    if (isInside()) throw selfWait(text);
    return query(text, parameters, options);
  };
  client.exec = async (text, options) => {
    if (isInside()) throw selfWait(text);
    return exec(text, options);
  };
  client.transaction = async (work) => {
    if (isInside()) throw selfWait("BEGIN");
    return transaction((tx) => {
      // Work that outlives the transaction may use the client again.
      const scope = { open: true };
      return inside.run(scope, async () => {
        try {
          return await work(tx);
        } finally {
          scope.open = false;
        }
      });
    });
  };
}

function selfWait(text: string): UnderpinError {
  return new UnderpinError({
    code: "embeddedLimit",
    message: `"${text.slice(0, 60)}" was sent to the database from inside its open transaction: it would wait for itself for ever`,
    hint: "Use the transaction that your callback was given: db.transaction(async (tx) => tx.select()…).",
  });
}
