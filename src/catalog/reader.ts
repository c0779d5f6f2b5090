import { UnderpinError } from "../errors.ts";

/**
 * How one kind of fact is read: the query whose rows become JSON, and what one of them is turned into.
 *
 * The query may use `scope` (oid, name), `named` (oid, schema, name, kind of every relation) and `member` (classid, objid,
 * extension), which {@link readJson} puts in front.
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
