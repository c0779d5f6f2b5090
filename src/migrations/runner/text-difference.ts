/** How many lines of a difference are shown. */
const MOST_LINES = 20;

/** Two texts as the lines that one has and the other has not, `-` before and `+` after, with their numbers. */
export function textDifference(before: string, after: string): string {
  const left = before.split("\n");
  const right = after.split("\n");
  let head = 0;
  while (head < left.length && head < right.length && left[head] === right[head]) head++;
  let tail = 0;
  while (
    tail < left.length - head &&
    tail < right.length - head &&
    left.at(-1 - tail) === right.at(-1 - tail)
  )
    tail++;
  const lines = [
    ...left.slice(head, left.length - tail).map((line, at) => `  ${head + at + 1} - ${line}`),
    ...right.slice(head, right.length - tail).map((line, at) => `  ${head + at + 1} + ${line}`),
  ];
  const more = lines.length - MOST_LINES;
  return [...lines.slice(0, MOST_LINES), ...(more > 0 ? [`  and ${more} more lines`] : [])].join(
    "\n",
  );
}
