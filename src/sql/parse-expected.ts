/** Words and signs that are tried where a statement stops making sense, the likeliest first. */
const CANDIDATES = [
  ";",
  ",",
  ")",
  "(",
  "a_name",
  "1",
  "'text'",
  ..."TABLE INDEX COLUMN CONSTRAINT VIEW TYPE SCHEMA FUNCTION TRIGGER POLICY SEQUENCE EXTENSION ROLE".split(
    " ",
  ),
  ..."ON TO AS FROM WHERE SET VALUES USING WITH FOR IN IS NOT NULL DEFAULT CHECK REFERENCES UNIQUE".split(
    " ",
  ),
  ..."PRIMARY FOREIGN KEY ADD DROP ALTER RENAME ENABLE FORCE VALIDATE BY EXECUTE".split(" "),
];

const SHOWN: Readonly<Record<string, string>> = {
  a_name: "a name",
  "1": "a value",
  "'text'": "a text",
};

/** More than this many is no help. */
const MOST = 6;

/**
 * What could stand at a place where a statement stops making sense: each candidate is put there, and fits if the parser then
 * comes further. PostgreSQL itself only says what it did not expect.
 */
export function expectedAt(
  statement: string,
  index: number,
  faultOf: (text: string) => number | undefined,
): readonly string[] {
  const head = statement.slice(0, index);
  const rest = statement.slice(index);
  const tried = CANDIDATES.map((candidate) => ({
    candidate,
    // Where the candidate was taken, what follows it is the next fault, or nothing is.
    end: head.length + candidate.length + 1,
    fault: faultOf(`${head} ${candidate} ${rest}`),
  }));
  const mended = tried.filter(({ fault }) => fault === undefined);
  const fits = tried.filter(({ fault, end }) => fault === undefined || fault >= end);
  return (mended.length > 0 ? mended : fits)
    .slice(0, MOST)
    .map(({ candidate }) => SHOWN[candidate] ?? candidate);
}
