/** The short names of types and how `format_type` prints them (PostgreSQL manual, table 8.1). */
const PRINTED: Readonly<Record<string, string>> = {
  int: "integer",
  int2: "smallint",
  int4: "integer",
  int8: "bigint",
  float4: "real",
  float8: "double precision",
  bool: "boolean",
  decimal: "numeric",
  varchar: "character varying",
  char: "character",
  bpchar: "character",
  varbit: "bit varying",
  timestamptz: "timestamp with time zone",
  timestamp: "timestamp without time zone",
  timetz: "time with time zone",
  time: "time without time zone",
};

/**
 * The type of an argument as PostgreSQL prints it in a signature: without length, in its long name.
 *
 * @example
 * typeName("varchar(20)[]"); // "character varying[]"
 */
export function typeName(type: string): string {
  const array = /(\s*\[\d*\])+\s*$/.exec(type)?.[0].replaceAll(/\s|\d/g, "") ?? "";
  const plain = type
    .slice(0, array === "" ? undefined : type.indexOf("["))
    .replace(/\([^)]*\)/, "")
    // Whole names: `"we"` in `"we""ird"` is none.
    .replaceAll(/"((?:[^"]|"")*)"/g, (quoted, name: string) =>
      /^[a-z_][a-z0-9_]*$/.test(name) ? name : quoted,
    )
    .trim();
  return (PRINTED[plain.toLowerCase()] ?? plain) + (array === "" ? "" : "[]");
}
