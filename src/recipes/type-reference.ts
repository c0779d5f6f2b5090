import type { RelationName } from "../plan/step.ts";

/** A name with or without a schema, as a person or `format_type` writes it; arrays end in `[]`. */
const NAME =
  /^\s*(?:("(?:[^"]|"")*"|[^".\s[\]]+)\.)?("(?:[^"]|"")*"|[^".\s[\]]+)\s*((?:\[\d*\])*)\s*$/;

/** What a reference to a type names. */
export interface TypeReference {
  /** Undefined where it is left to the search path. */
  readonly schema: string | undefined;
  readonly name: string;
  readonly isArray: boolean;
}

/** Reads `app.mood`, `"we""ird".mood[]`; undefined for what is more than a name, as `numeric(10, 2)`. */
export function typeReference(text: string): TypeReference | undefined {
  const match = NAME.exec(text);
  if (match === null) return undefined;
  const [, schema, name = "", array] = match;
  return {
    schema: schema === undefined ? undefined : unquoted(schema),
    name: unquoted(name),
    isArray: array !== "",
  };
}

/** Whether a text means this type, itself or its array. Without a schema it may. */
export function sameName(text: string, { schema, name }: RelationName): boolean {
  const read = typeReference(text);
  return read?.name === name && (read.schema === undefined || read.schema === schema);
}

function unquoted(name: string): string {
  return name.startsWith(`"`) ? name.slice(1, -1).replaceAll(/""/g, `"`) : name.toLowerCase();
}
