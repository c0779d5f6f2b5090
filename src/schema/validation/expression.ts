/** The types that the values of a row have while a check looks at them. */
export type ValueType =
  | "text"
  | "number"
  | "boolean"
  /** Dates and timestamps, as milliseconds. */
  | "time"
  | "json"
  | "array"
  /** Of what can only be asked whether it is NULL. */
  | "other"
  /** Of NULL, and of a text in quotes that takes the type of what it meets. */
  | "unknown";

/** A row by the names of its columns in the database: each value as a check sees it, null for NULL. */
export type RowValues = Readonly<Record<string, unknown>>;

/** A part of a check, ready to be asked of a row: NULL is null. */
export interface Expression {
  readonly type: ValueType;
  readonly run: (row: RowValues) => unknown;
}

/** An expression of this type that is NULL where one of its operands is, as most functions of PostgreSQL are. */
export function strict(
  type: ValueType,
  operands: readonly Expression[],
  run: (...values: readonly never[]) => unknown,
): Expression {
  return {
    type,
    run(row) {
      const values = operands.map((operand) => operand.run(row));
      return values.includes(null) ? null : run(...(values as never[]));
    },
  };
}

/** `AND` by three-valued logic: false wins over NULL. */
export function and(left: Expression, right: Expression): Expression {
  return {
    type: "boolean",
    run(row) {
      const first = left.run(row);
      if (first === false) return false;
      const second = right.run(row);
      return second === false ? false : first === null || second === null ? null : true;
    },
  };
}

/** `OR` by three-valued logic: true wins over NULL. */
export function or(left: Expression, right: Expression): Expression {
  return not(and(not(left), not(right)));
}

/** `NOT`: of NULL it is NULL. */
export function not(operand: Expression): Expression {
  return strict("boolean", [operand], (value: boolean) => !value);
}

/** A value that does not depend on the row. */
export function constant(type: ValueType, value: unknown): Expression {
  return { type, run: () => value };
}
