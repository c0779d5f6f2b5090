import type { PlacedToken } from "../../executor/pglite-scan.ts";
import type { LockMode } from "../../plan/lock.ts";
import type { Lock, RowAccess } from "../../plan/step.ts";
import { isAt, nameAt, namesAt, past, wordsOf, type WrittenName } from "./statement-names.ts";

/** What a statement locks, reads and makes, as far as its text tells. */
export interface StatementLocks {
  readonly locks: readonly Lock[];
  readonly rows: readonly RowAccess[];
  /** The table that it creates for certain. */
  readonly created: WrittenName | undefined;
  readonly creates: number;
}

/**
 * The strongest lock that a statement may take on each relation that its text names, so that the engine looks for blockers first,
 * and cuts off what would make an application wait for too long.
 *
 * Rather too strong than too weak: `ALTER TABLE` counts as ACCESS EXCLUSIVE but for VALIDATE. A relation that the text does not
 * name (the table of a dropped index) is protected by the lock timeout alone.
 */
export function locksOfStatement(
  tokens: readonly PlacedToken[],
  defaultSchema: string,
): StatementLocks {
  const words = wordsOf(tokens);
  const lock = (written: WrittenName | undefined, mode: LockMode, partitions = false): Lock[] =>
    written === undefined
      ? []
      : [
          {
            schema: written.schema ?? defaultSchema,
            name: written.name,
            mode,
            ...(partitions ? ({ partitions: true } as const) : {}),
          },
        ];
  const onTable = (mode: LockMode) => lock(nameAfterOn(tokens, words), mode);
  const row = (written: WrittenName | undefined, access: RowAccess["access"]): RowAccess[] =>
    written === undefined
      ? []
      : [{ schema: written.schema ?? defaultSchema, name: written.name, access }];
  const none: StatementLocks = { locks: [], rows: [], created: undefined, creates: 0 };
  const referenced = () =>
    words.flatMap((word, at) =>
      word === "references" ? lock(nameAt(tokens, at + 1), "shareRowExclusive") : [],
    );
  const [verb = ""] = words;
  const kindAt = kindPlace(words);
  const kind = words[kindAt] ?? "";
  switch (verb) {
    case "alter": {
      if (kind === "policy") return { ...none, locks: onTable("accessExclusive") };
      if (kind !== "table" && kind !== "view" && kind !== "index") return none;
      const only = words[past(words, kindAt + 1, "if", "exists")] === "only";
      const at = past(words, past(words, kindAt + 1, "if", "exists"), "only");
      const name = nameAt(tokens, at);
      const validates = name !== undefined && isAt(words, name.next, "validate", "constraint");
      const mode = validates || kind === "index" ? "shareUpdateExclusive" : "accessExclusive";
      return { ...none, locks: [...lock(name, mode, kind === "table" && !only), ...referenced()] };
    }
    case "drop":
      if (kind === "trigger" || kind === "policy" || kind === "rule")
        return { ...none, locks: onTable("accessExclusive") };
      if (kind !== "table" && kind !== "view" && kind !== "index") return none;
      return {
        ...none,
        locks: namesAt(tokens, past(words, kindAt + 1, "if", "exists")).flatMap((name) =>
          lock(name, "accessExclusive", kind === "table"),
        ),
      };
    case "truncate":
      return {
        ...none,
        locks: namesAt(tokens, past(words, past(words, 1, "table"), "only")).flatMap((name) =>
          lock(name, "accessExclusive", true),
        ),
      };
    case "create": {
      if (kind === "trigger") return { ...none, locks: onTable("shareRowExclusive") };
      if (kind === "policy") return { ...none, locks: onTable("accessExclusive") };
      if (kind === "index") return { ...none, locks: onTable("share"), creates: 1 };
      if (kind !== "table") return { ...none, creates: kind === "view" ? 1 : 0 };
      const maybe = isAt(words, kindAt + 1, "if", "not", "exists");
      const name = nameAt(tokens, maybe ? kindAt + 4 : kindAt + 1);
      const partitionOf = words.findIndex(
        (word, at) => word === "of" && words[at - 1] === "partition",
      );
      return {
        ...none,
        locks: [
          ...referenced(),
          ...(partitionOf === -1 ? [] : lock(nameAt(tokens, partitionOf + 1), "accessExclusive")),
        ],
        created: maybe ? undefined : name,
        // The table, its TOAST table with its index, and the index of a key.
        creates: 4,
      };
    }
    case "update":
      return { ...none, rows: row(nameAt(tokens, past(words, 1, "only")), "update") };
    case "delete":
      return {
        ...none,
        rows: row(nameAt(tokens, past(words, past(words, 1, "from"), "only")), "delete"),
      };
    case "insert":
      return { ...none, rows: row(nameAt(tokens, past(words, 1, "into")), "insert") };
    default:
      return none;
  }
}

/** What may stand between CREATE, DROP or ALTER and the kind of object. */
const BETWEEN = new Set([
  "or",
  "replace",
  "unique",
  "materialized",
  "constraint",
  "unlogged",
  "foreign",
]);

function kindPlace(words: readonly string[]): number {
  let at = 1;
  while (BETWEEN.has(words[at] ?? "")) at++;
  return at;
}

/** The name behind the first ON: of the table of an index, a policy or a trigger. */
function nameAfterOn(
  tokens: readonly PlacedToken[],
  words: readonly string[],
): WrittenName | undefined {
  const on = words.indexOf("on");
  return on === -1 ? undefined : nameAt(tokens, past(words, on + 1, "only"));
}
