/** A decimal number as PostgreSQL keeps it: its digits at a scale. */
export interface Decimal {
  readonly unscaled: bigint;
  readonly scale: number;
}

/** More digits than `numeric` has before its point (manual, table 8.2). */
const MOST_DIGITS = 131072;

/**
 * Reads a number as `numeric` does and rounds it to a scale, half away from zero, as storing it would. Null where it is none.
 *
 * Underscores and other bases are left out: they are read from version 16 on only.
 */
export function decimalOf(text: string, scale: number): Decimal | null {
  const found = /^[ \t-\r]*([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,6}))?[ \t-\r]*$/.exec(text);
  if (found === null) return null;
  const [, sign = "", whole = "", part = "", exponent = "0"] = found;
  if (whole + part === "" || Math.abs(Number(exponent)) > MOST_DIGITS) return null;
  const shift = Number(exponent) - part.length + scale;
  const magnitude = shifted(BigInt(whole + part), shift);
  return { unscaled: sign === "-" ? -magnitude : magnitude, scale };
}

function shifted(digits: bigint, places: number): bigint {
  if (places >= 0) return digits * 10n ** BigInt(places);
  const unit = 10n ** BigInt(-places);
  return (digits + unit / 2n) / unit;
}

/** Whether a number fits into `numeric(precision, scale)` after it was rounded. */
export function fits({ unscaled }: Decimal, precision: number): boolean {
  const magnitude = unscaled < 0n ? -unscaled : unscaled;
  return magnitude < 10n ** BigInt(precision);
}

/** A decimal as the nearest number of JavaScript. */
export function numberOf({ unscaled, scale }: Decimal): number {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  const point = digits.length - scale;
  return Number(`${unscaled < 0n ? "-" : ""}${digits.slice(0, point)}.${digits.slice(point)}0`);
}
