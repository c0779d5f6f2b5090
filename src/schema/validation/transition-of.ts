import { z } from "zod";

/** For each state those that may follow it; a state that leads nowhere may be left out. */
export type NextStates = Readonly<Record<string, readonly string[]>>;

/** The states that appear anywhere. */
type StateOf<T extends NextStates> = (keyof T & string) | T[keyof T][number];

/** A change of state, with the state that the row has now. */
export type Transition<T extends NextStates> = z.ZodType<{
  readonly from: StateOf<T>;
  readonly to: StateOf<T>;
}>;

/**
 * What a trigger lets through: from a state to one that may follow it, or to itself.
 *
 * Apart from the schemas of rows, because a change says only where it leads.
 */
export function transitionOf<const T extends NextStates>(next: T): Transition<T> {
  const states = [
    ...new Set([...Object.keys(next), ...Object.values(next).flat()]),
  ] as StateOf<T>[];
  const state = z.enum(states);
  return z
    .object({ from: state, to: state })
    .refine(({ from, to }) => from === to || (next[from]?.includes(to) ?? false), {
      error: ({ input }) => {
        const { from, to } = input as { readonly from: string; readonly to: string };
        return `no row goes from ${from} to ${to}`;
      },
      path: ["to"],
    });
}
