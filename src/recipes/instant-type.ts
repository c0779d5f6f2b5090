import { typeName } from "../sql/type-name.ts";

/** A type and what stands in its brackets. */
interface Shape {
  readonly name: string;
  readonly modifiers: readonly number[];
}

/** Types whose one modifier only bounds them: a wider bound, or none, holds every value as it is. */
const BOUNDED = new Set([
  "character varying",
  "bit varying",
  "timestamp with time zone",
  "timestamp without time zone",
  "time with time zone",
  "time without time zone",
]);

/**
 * Whether PostgreSQL changes a column from one type to the other without writing its rows anew or looking at them: a longer
 * varchar, varchar to text and back without a length, a wider numeric of the same scale, a finer time.
 */
export function isInstantChange(from: string, to: string): boolean {
  const [old, next] = [shapeOf(from), shapeOf(to)];
  const pair = `${old.name} to ${next.name}`;
  if (pair === "character varying to text" || pair === "cidr to inet") return true;
  if (pair === "text to character varying") return next.modifiers.length === 0;
  if (old.name !== next.name) return false;
  const [oldBound, oldScale = 0] = old.modifiers;
  const [bound, scale = 0] = next.modifiers;
  if (old.name === "numeric")
    return (
      next.modifiers.length === 0 ||
      (oldBound !== undefined && bound !== undefined && bound >= oldBound && scale === oldScale)
    );
  if (!BOUNDED.has(old.name)) return false;
  return bound === undefined || (oldBound !== undefined && bound >= oldBound);
}

/**
 * A type without the length that an explicit cast would cut values to. What such a cast yields is assigned to the column, and an
 * assignment fails on what is too long, as ALTER TYPE does.
 */
export function uncut(type: string): string {
  const name = typeName(type).toLowerCase().replace("[]", "");
  const wide = ["character", "character varying"].includes(name)
    ? "text"
    : ["bit", "bit varying"].includes(name)
      ? "bit varying"
      : undefined;
  const array = /(?:\s*\[\d*\])+\s*$/.exec(type)?.[0] ?? "";
  return wide === undefined ? type : `${wide}${array}`;
}

function shapeOf(type: string): Shape {
  const inside = /\(([\d\s,-]*)\)/.exec(type)?.[1];
  return {
    name: typeName(type),
    modifiers: inside === undefined ? [] : inside.split(",").map(Number),
  };
}
