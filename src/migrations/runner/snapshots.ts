import { toError, UnderpinError } from "../../errors.ts";
import type { Finding } from "../../catalog/finding.ts";
import { folderError } from "./folder-finding.ts";
import { readText } from "./read-text.ts";

/** What a snapshot of drizzle-kit says of its place in the history. */
export interface Snapshot {
  readonly file: string;
  readonly id: string;
  readonly previous: readonly string[];
}

/** Reads where a snapshot stands: `prevId` up to 0.31, `prevIds` in 1.0. */
export function readSnapshot(path: string, shown: string): Snapshot {
  const text = readText(path, shown);
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new UnderpinError({
      code: "migrationFolder",
      message: `${shown} is not JSON: ${toError(cause).message.split("\n")[0]}`,
      hint: "A merge may have left its marks in it: generate that migration again on top of the other branch's.",
      cause,
    });
  }
  const { id, prevId, prevIds } = value;
  const previous = Array.isArray(prevIds) ? prevIds : [prevId];
  return {
    file: shown,
    id: String(id),
    previous: previous.filter((one): one is string => typeof one === "string"),
  };
}

/**
 * Snapshots that were made from the same one, on two branches: neither knows what the other does, so that the next migration would
 * take one of them back, or do it twice.
 */
export function siblings(snapshots: readonly Snapshot[]): readonly Finding[] {
  const followed = new Set(snapshots.flatMap(({ previous }) => previous));
  const ends = snapshots.filter(({ id }) => !followed.has(id));
  const [first, ...others] = ends;
  if (first === undefined) return [];
  return others.map((other) =>
    folderError(
      "snapshot-siblings",
      other.file,
      `${first.file} and ${other.file} both end the history: they come from two branches, and neither knows of the other`,
      "Generate the one that is applied nowhere again on top of the other: delete its files and its entry, then drizzle-kit generate",
    ),
  );
}
