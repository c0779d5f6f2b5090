import type { RelationName } from "../plan/step.ts";
import { commentOn, extensionOf, reader, word } from "./reader.ts";

/** A function, procedure, aggregate or window function. */
export interface FunctionFact extends RelationName {
  readonly kind: "function" | "procedure" | "aggregate" | "window";
  /** What tells it from its namesakes: its argument types, as ALTER FUNCTION takes them. */
  readonly signature: string;
  /** With names and defaults. */
  readonly arguments: string;
  /** Null for a procedure. */
  readonly returns: string | null;
  readonly owner: string;
  readonly language: string;
  readonly volatility: "immutable" | "stable" | "volatile";
  readonly parallel: "safe" | "restricted" | "unsafe";
  readonly strict: boolean;
  readonly leakproof: boolean;
  readonly securityDefiner: boolean;
  readonly cost: number;
  readonly rows: number;
  /** The settings of its SET clauses as `name=value`. */
  readonly config: readonly string[];
  /** The whole CREATE statement; null for an aggregate, which PostgreSQL cannot print. */
  readonly definition: string | null;
  /** MD5 of the source text, or of the SQL body. */
  readonly bodyHash: string;
  /** Of an aggregate: what `pg_aggregate` says of it, with functions, operators and types by name. */
  readonly aggregate: Readonly<Record<string, string | null>> | null;
  readonly comment: string | null;
  readonly extension: string | null;
}

type RawFunction = Omit<FunctionFact, "kind" | "volatility" | "parallel"> & {
  readonly kind: string;
  readonly volatility: string;
  readonly parallel: string;
};

const KIND = { f: "function", p: "procedure", a: "aggregate", w: "window" } as const;
const VOLATILITY = { i: "immutable", s: "stable", v: "volatile" } as const;
const PARALLEL = { s: "safe", r: "restricted", u: "unsafe" } as const;

/** Functions, procedures and aggregates. */
export const functions = reader<RawFunction, FunctionFact>(
  `select s.name as schema, p.proname as name, p.prokind as kind,
     pg_catalog.oidvectortypes(p.proargtypes) as signature,
     pg_catalog.pg_get_function_arguments(p.oid) as arguments,
     pg_catalog.pg_get_function_result(p.oid) as returns,
     pg_catalog.pg_get_userbyid(p.proowner) as owner, l.lanname as language,
     p.provolatile as volatility, p.proparallel as parallel, p.proisstrict as strict,
     p.proleakproof as leakproof, p.prosecdef as "securityDefiner", p.procost as cost,
     p.prorows as rows, coalesce(p.proconfig, '{}') as config,
     case when p.prokind <> 'a' then pg_catalog.pg_get_functiondef(p.oid) end as definition,
     pg_catalog.md5(coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc)) as "bodyHash",
     case when g.aggfnoid is not null then pg_catalog.json_build_object('kind', g.aggkind::text,
       'transition', g.aggtransfn::text, 'state', pg_catalog.format_type(g.aggtranstype, null),
       'initial', g.agginitval, 'final', g.aggfinalfn::text, 'finalExtra', g.aggfinalextra::text,
       'finalModify', g.aggfinalmodify::text, 'combine', g.aggcombinefn::text,
       'serialize', g.aggserialfn::text, 'deserialize', g.aggdeserialfn::text,
       'space', g.aggtransspace::text, 'directArguments', g.aggnumdirectargs::text,
       'sortOperator', g.aggsortop::pg_catalog.regoperator::text,
       'movingTransition', g.aggmtransfn::text, 'movingInverse', g.aggminvtransfn::text,
       'movingState', case when g.aggmtranstype <> 0
         then pg_catalog.format_type(g.aggmtranstype, null) end,
       'movingInitial', g.aggminitval, 'movingFinal', g.aggmfinalfn::text,
       'movingFinalExtra', g.aggmfinalextra::text, 'movingFinalModify', g.aggmfinalmodify::text,
       'movingSpace', g.aggmtransspace::text) end as aggregate,
     ${commentOn("p.oid", "pg_proc")} as comment, ${extensionOf("p.oid", "pg_proc")} as extension
   from pg_catalog.pg_proc as p
   join scope as s on s.oid = p.pronamespace
   join pg_catalog.pg_language as l on l.oid = p.prolang
   left join pg_catalog.pg_aggregate as g on g.aggfnoid = p.oid
   order by s.name, p.proname, 4`,
  (row) => ({
    ...row,
    kind: word(KIND, row.kind, "pg_proc.prokind"),
    volatility: word(VOLATILITY, row.volatility, "pg_proc.provolatile"),
    parallel: word(PARALLEL, row.parallel, "pg_proc.proparallel"),
  }),
);
