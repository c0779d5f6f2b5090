import { UnderpinError } from "../../errors.ts";
import {
  brandExecutor,
  type Executor,
  type Parameter,
  type Queryable,
  type Row,
} from "../../executor/executor.ts";
import { placedTokens } from "../../executor/pglite-scan.ts";
import { ident } from "../../sql/quote.ts";

/** A schema that a folder is applied to, beside others of the same database. */
export interface Tenant {
  readonly schema: string;
  /**
   * The schema that the files name where they mean the tenant's own: drizzle-kit writes `"public"."users"` into foreign keys.
   * @default "public"
   */
  readonly insteadOf?: string;
  /** Where else a name without a schema is looked for, as for the types of extensions. @default [] */
  readonly alsoSearch?: readonly string[];
}

/** Refuses a tenant that the ledger could not keep apart. */
export function checkTenant(tenant: Tenant | undefined, runSchema: string): void {
  if (tenant === undefined) return;
  const { schema } = tenant;
  if (schema === "" || schema === runSchema || schema.startsWith("pg_"))
    throw new UnderpinError({
      code: "invalidInput",
      message: `${JSON.stringify(schema)} cannot be the schema of a tenant`,
      hint: 'Name the schema that holds the tenant\'s tables: { tenant: { schema: "acme" } }.',
    });
}

/** A file's text for one tenant: a name that is qualified with `insteadOf` is one of the tenant's schema. */
export function textFor(text: string, tenant: Tenant | undefined): string {
  if (tenant === undefined) return text;
  const { schema, insteadOf = "public" } = tenant;
  const tokens = [...placedTokens(text)];
  let changed = "";
  let from = 0;
  for (const [at, { kind, value, start, end }] of tokens.entries()) {
    const isName = (kind === "word" || kind === "name") && value === insteadOf;
    const qualifies = tokens[at + 1]?.value === "." && tokens[at - 1]?.value !== ".";
    if (!isName || !qualifies) continue;
    changed += text.slice(from, start) + ident(schema);
    from = end;
  }
  return changed + text.slice(from);
}

/**
 * An executor on which names without a schema are the tenant's: in each transaction by SET LOCAL, which a pooler does not mind, and
 * on a pinned connection for as long as it is pinned.
 *
 * `public` is not looked into unless it is asked for: a table that the tenant lacks would be changed there, for everybody.
 */
export function executorFor(executor: Executor, tenant: Tenant | undefined): Executor {
  if (tenant === undefined) return executor;
  const path = [tenant.schema, ...(tenant.alsoSearch ?? [])].map(ident).join(", ");
  return brandExecutor({
    driver: executor.driver,
    query: (text, parameters) => executor.query(text, parameters),
    transaction: (work) => executor.transaction((tx) => work(withPath(tx, path))),
    session: (work) =>
      executor.session((session) =>
        session.withSettings({ search_path: path }, () => work(session)),
      ),
  });
}

/** Sets the path with the first query; where that has parameters, which no second statement may share, before it. */
function withPath(tx: Queryable, path: string): Queryable {
  let pending = `SET LOCAL search_path = ${path}`;
  return {
    async query<R extends Row>(text: string, parameters: readonly Parameter[] = []) {
      const before = pending;
      pending = "";
      if (before === "") return tx.query<R>(text, parameters);
      if (parameters.length === 0) return tx.query<R>(`${before}; ${text}`);
      await tx.query(before);
      return tx.query<R>(text, parameters);
    },
  };
}
