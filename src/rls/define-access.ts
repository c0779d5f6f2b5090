import type { AccessData, IdType, Lookup } from "../definition/access.ts";
import type { PgPolicy } from "drizzle-orm/pg-core";
import { policiesOf } from "./policies.ts";
import type { RulesOf } from "./rules-of.ts";
import { lookupsWith, type LookupBodies } from "./lookups.ts";

/** The declaration of a lookup that yields ids of a type. */
export interface Ids {
  readonly ids: IdType;
}

/** A lookup that yields ids; its body follows in `access.with`. */
export function ids(type: IdType): Ids {
  return { ids: type };
}

/** Who there is. */
export interface AccessOptions<P extends string, L extends string, T extends string> {
  /** Where its functions live: the schema of the domain. @default "access" */
  readonly schema?: string;
  /** The property of the column that holds the tenant, in every table that says nothing else. */
  readonly tenantColumn: T;
  readonly personas: readonly [P, ...P[]];
  readonly lookups?: Readonly<Record<L, Ids>>;
  /**
   * `postgres`: a role for each persona. `supabase`: the role `authenticated`, with the persona in the token's
   * `app_metadata`. `citus`: policies without sub-select. @default "postgres"
   */
  readonly target?: AccessData["target"];
  /** What role names begin with. @default the schema */
  readonly rolePrefix?: string;
  /** @default "underpin_migrator" */
  readonly migratorRole?: string;
  /** @default "uuid" */
  readonly tenantType?: IdType;
  /** @default "uuid" */
  readonly userType?: IdType;
  /** What its settings begin with: `app.tenant_id`, `app.user_id`. @default "app" */
  readonly settingPrefix?: string;
}

/** Where the tenant is: needs to be said where the table has no column of the usual name. */
type TenantOf<C extends string, T extends string> = T extends C
  ? { readonly tenantColumn?: C | null }
  : { readonly tenantColumn: C | null };

/** A column of a table's third argument. */
interface NamedColumn {
  readonly name: string;
}

/** Personas, tenant column and lookups. */
export interface Access<
  P extends string = string,
  L extends string = string,
  T extends string = string,
> extends AccessData {
  readonly roles: Readonly<Record<P, string>>;
  /**
   * The policies of one table, for its third argument. Pure, and by name: Drizzle calls the third argument again and again.
   */
  rules<C extends Readonly<Record<string, unknown>>>(
    t: C,
    rules: RulesOf<keyof C & string, P, L> & TenantOf<keyof C & string, T>,
  ): PgPolicy[];
  /** The same with the bodies of its lookups, where the tables exist. */
  with(bodies: LookupBodies<L>): Access<P, L, T>;
}

/**
 * Declares who there is. It knows no table, so that no type refers to itself: tables use it in their third argument, and the bodies
 * of its lookups follow in `access.with`.
 */
export function defineAccess<
  const P extends string,
  const T extends string,
  const L extends string = never,
>(options: AccessOptions<P, L, T>): Access<P, L, T> {
  const { schema = "access", target = "postgres", settingPrefix = "app" } = options;
  const prefix = options.rolePrefix ?? schema;
  const data: AccessData = {
    schema,
    target,
    roles: Object.fromEntries(
      options.personas.map((persona) => [
        persona,
        target === "supabase" ? "authenticated" : `${prefix}_${persona}`,
      ]),
    ),
    readerRole: `${prefix}_reader`,
    migratorRole: options.migratorRole ?? "underpin_migrator",
    tenant: { setting: `${settingPrefix}.tenant_id`, type: options.tenantType ?? "uuid" },
    user: { setting: `${settingPrefix}.user_id`, type: options.userType ?? "uuid" },
    lookups: Object.entries<Ids>(options.lookups ?? {}).map(
      ([name, { ids: type }]): Lookup => ({ name, type, query: null, reads: [] }),
    ),
  };
  return accessOf<P, L, T>({ ...data, roles: data.roles }, options.tenantColumn);
}

function accessOf<P extends string, L extends string, T extends string>(
  data: AccessData & { readonly roles: Readonly<Record<P, string>> },
  tenantColumn: T,
): Access<P, L, T> {
  return {
    ...data,
    rules: (t, rules) => {
      const columns = t as Readonly<Record<string, NamedColumn>>;
      return policiesOf(data, columns, tenantColumn, rules);
    },
    with: (bodies) => accessOf({ ...data, lookups: lookupsWith(data, bodies) }, tenantColumn),
  };
}
