import { integer, uuid } from "drizzle-orm/pg-core";

/** What the keys of the domain are: the form it came in, or the form it is converted to. */
export type KeyKind = "integer" | "uuid";

// PostgreSQL numbers ALWAYS: a key that a row brings along would collide with one that the sequence gives out later.
const generated = {
  integer: <N extends string>(name: N) => integer(name).generatedAlwaysAsIdentity(),
  uuid: <N extends string>(name: N) => uuid(name).notNull().defaultRandom(),
};

const required = {
  integer: <N extends string>(name: N) => integer(name).notNull(),
  uuid: <N extends string>(name: N) => uuid(name).notNull(),
};

const optional = {
  integer: <N extends string>(name: N) => integer(name),
  uuid: <N extends string>(name: N) => uuid(name),
};

/** A key that PostgreSQL gives out, by kind. */
export interface GeneratedKey<N extends string> {
  readonly integer: ReturnType<typeof generated.integer<N>>;
  readonly uuid: ReturnType<typeof generated.uuid<N>>;
}

/** The key of another row, by kind. */
export interface RequiredKey<N extends string> {
  readonly integer: ReturnType<typeof required.integer<N>>;
  readonly uuid: ReturnType<typeof required.uuid<N>>;
}

/** The key of another row or none, by kind. */
export interface OptionalKey<N extends string> {
  readonly integer: ReturnType<typeof optional.integer<N>>;
  readonly uuid: ReturnType<typeof optional.uuid<N>>;
}

/** The columns that differ between the two forms. */
export interface Keys<K extends KeyKind> {
  readonly kind: K;
  generated<N extends string>(name: N): GeneratedKey<N>[K];
  required<N extends string>(name: N): RequiredKey<N>[K];
  optional<N extends string>(name: N): OptionalKey<N>[K];
}

/** The key columns of one form; each call makes a column of its own. */
export function keysOf<K extends KeyKind>(kind: K): Keys<K> {
  return {
    kind,
    generated: <N extends string>(name: N) => generated[kind](name) as GeneratedKey<N>[K],
    required: <N extends string>(name: N) => required[kind](name) as RequiredKey<N>[K],
    optional: <N extends string>(name: N) => optional[kind](name) as OptionalKey<N>[K],
  };
}

/**
 * Why a key may be unique over all lines of business: its values are given out, not chosen. Trying one tells whether some row has it, and no more;
 * a uuid cannot even be met by trying.
 */
export const GIVEN_OUT = "PostgreSQL gives it out: nobody chooses a value that means something";
