import { UnderpinError } from "../errors.ts";

/**
 * How one kind of fact is read: the query whose rows become JSON, and what one of them is turned into.
 *
 * The query may use `scope` (oid, name of each schema) and `named` (oid, schema, name, kind of every relation), which
 * `readJson` puts in front.
 */
export interface Reader<Fact> {
  readonly sql: string;
  readonly decode: (row: unknown) => Fact;
}

/** A reader whose query yields rows of the shape `Raw`. */
export function reader<Raw, Fact>(sql: string, decode: (row: Raw) => Fact): Reader<Fact> {
  return { sql, decode: (row) => decode(row as Raw) };
}

/** A reader whose query yields the facts as they are. */
export function plainReader<Fact>(sql: string): Reader<Fact> {
  return { sql, decode: (row) => row as Fact };
}

/** The word for a one-letter code of the catalog. A letter that is not known is never passed over. */
export function word<T>(words: Readonly<Record<string, T>>, code: string, column: string): T {
  const found = words[code];
  if (found === undefined)
    throw new UnderpinError({
      code: "unsupportedServer",
      message: `the catalog says ${column} = '${code}', which this version of underpin does not know`,
      hint: "Upgrade underpin: npm install underpin@latest",
    });
  return found;
}

/**
 * SQL of the comment on an object: a look-up by index for each row.
 *
 * As a join it is at the mercy of statistics, which a catalog that has just grown does not have.
 */
export function commentOn(oid: string, catalog: string, column = "0"): string {
  return `(select d.description from pg_catalog.pg_description as d where d.objoid = ${oid}
       and d.classoid = 'pg_catalog.${catalog}'::pg_catalog.regclass and d.objsubid = ${column})`;
}

/** SQL of the name of the extension that an object is a member of. */
export function extensionOf(oid: string, catalog: string): string {
  return `(select e.extname from pg_catalog.pg_depend as d
       join pg_catalog.pg_extension as e on e.oid = d.refobjid
       where d.classid = 'pg_catalog.${catalog}'::pg_catalog.regclass and d.objid = ${oid} and d.deptype = 'e'
         and d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass)`;
}
