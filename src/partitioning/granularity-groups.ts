import { UnderpinError } from "../errors.ts";

/** One partition, or what becomes one: its ends as the catalog prints them, without quotes, and as numbers that compare. */
export interface Piece {
  readonly lower: string;
  readonly upper: string;
  readonly from: number;
  readonly until: number;
}

/** A leaf as it is. */
export interface OldPiece extends Piece {
  readonly name: string;
}

/** A leaf as it will be. */
export interface NewPiece extends Piece {
  /** What its name ends with. */
  readonly tail: string;
}

/** Leaves that are replaced in one transaction, and by what. */
export interface Group {
  readonly old: readonly OldPiece[];
  readonly new: readonly NewPiece[];
}

/** The most leaves, old and new, of one swap: each takes some locks until its transaction ends. */
const MOST = 20;

/** Of one that leaves no interval in two pieces: a month in days, say, which no smaller swap can do. */
const MOST_WITHOUT_A_CUT = 32;

/**
 * Divides a run of leaves without gaps, and the intervals that it is to have, into groups that are replaced at once.
 *
 * A group ends where an old leaf and a new interval end together, if there is such a place; weeks and months have none, and there
 * the interval is cut in two.
 */
export function groupsOf(old: readonly OldPiece[], pieces: readonly NewPiece[]): readonly Group[] {
  const groups: Group[] = [];
  for (let at = 0; at < old.length; ) {
    const end = endOf(old, pieces, at);
    const taken = old.slice(at, end + 1);
    const [first, last] = [taken[0], taken.at(-1)];
    if (first === undefined || last === undefined) break;
    groups.push({ old: taken, new: within(pieces, first, last) });
    at = end + 1;
  }
  return groups;
}

function endOf(old: readonly OldPiece[], pieces: readonly NewPiece[], at: number): number {
  const first = old[at];
  const ends = old.slice(at).flatMap((last, count) => {
    if (first === undefined) return [];
    const size = count + 1 + within(pieces, first, last).length;
    const isCut = !pieces.some(({ until }) => until === last.until);
    return size > MOST_WITHOUT_A_CUT ? [] : [{ end: at + count, size, isCut }];
  });
  const small = ends.filter(({ size }) => size <= MOST);
  const found =
    small.findLast(({ isCut }) => !isCut) ?? ends.find(({ isCut }) => !isCut) ?? small.at(-1);
  if (found === undefined)
    throw new UnderpinError({
      code: "invalidInput",
      message: `${first?.name ?? ""} would become more than ${MOST_WITHOUT_A_CUT - 1} partitions in one transaction`,
      hint: "Go there in two changes: by months first, then by days.",
    });
  return found.end;
}

/** The parts of the intervals that lie between the beginning of one leaf and the end of another. */
function within(pieces: readonly NewPiece[], first: Piece, last: Piece): readonly NewPiece[] {
  return pieces.flatMap((piece) =>
    piece.until <= first.from || piece.from >= last.until
      ? []
      : [
          {
            ...piece,
            ...(piece.from < first.from && { lower: first.lower, from: first.from }),
            ...(piece.until > last.until && { upper: last.upper, until: last.until }),
          },
        ],
  );
}
