import { ident, qualified } from "../../sql/quote.ts";
import type { ProofColumn, ProofType } from "./catalog.ts";

/** A generator of numbers from 0 to 1, the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A UUID of version 4 that tells its tenant by its beginning. */
export function sampleUuid(random: () => number, tenant: number): string {
  const hex = (length: number) =>
    Array.from({ length }, () => Math.floor(random() * 16).toString(16)).join("");
  const head = `${"abcdef"[tenant % 6] ?? "f"}${hex(7)}`;
  return `${head}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`;
}

/** Types of a database by the names under which `format_type` prints them. */
export type TypeNames = ReadonlyMap<string, ProofType>;

/** The types that somebody made, by each way to print them. */
export function typeNames(types: readonly ProofType[]): TypeNames {
  return new Map(
    types.flatMap((type) => {
      const plain = (text: string) => (/^[a-z_]\w*$/.test(text) ? text : ident(text));
      return [
        [`${plain(type.schema)}.${plain(type.name)}`, type],
        [qualified(type.schema, type.name), type],
        [plain(type.name), type],
      ] as const;
    }),
  );
}

/** What a value is wanted for. */
export interface SampleFor {
  readonly type: string;
  readonly column: string;
  /** Rank of the row within its tenant. */
  readonly row: number;
  readonly tenant: number;
  /** Whether the value has to differ from that of the same row of another tenant. */
  readonly global: boolean;
  readonly types: TypeNames;
  readonly uuid: () => string;
}

const DAY = 86_400_000;
/** Lately, so that views of what happened in the last days have something to show; the same all day. */
const START = Math.floor(Date.now() / DAY) * DAY;

/** A value of a type as text, or undefined where the type is not known. */
export function sample(wanted: SampleFor): string | undefined {
  const { type, row, tenant, global, types, column } = wanted;
  const made = types.get(type);
  if (made?.kind === "enum") return made.labels[row % Math.max(made.labels.length, 1)];
  if (made?.kind === "domain" && made.base !== null) return sample({ ...wanted, type: made.base });
  if (type.endsWith("[]")) return "{}";
  const [, base = type, size] =
    /^([a-z ]+?)(?:\((\d+)(?:,\d+)?\))?( with(?:out)? time zone)?$/.exec(type) ?? [];
  const n = global ? tenant * 100 + row + 1 : row + 1;
  const place = global ? tenant * 20 + row : row;
  const moment = new Date(START - place * (DAY / 8)).toISOString();
  const day = (ahead: number) => new Date(START + (ahead - place) * DAY).toISOString().slice(0, 10);
  switch (base) {
    case "uuid":
      return wanted.uuid();
    case "smallint":
    case "integer":
    case "bigint":
      return String(n);
    case "numeric":
    case "real":
    case "double precision":
      return String(n);
    case "boolean":
      return row % 2 === 0 ? "true" : "false";
    case "text":
    case "character varying":
    case "character":
    case "citext":
    case "name": {
      const text = `${column}-${global ? `${tenant}-` : ""}${row + 1}`;
      const room = Math.min(Number(size ?? 60), 60);
      // A code of few characters has none to spare for a name.
      return room < 8
        ? (n + 9).toString(36).padStart(Math.min(room, 2), "a").slice(-room)
        : text.slice(-room);
    }
    case "timestamp":
    case "timestamptz":
      return moment;
    case "date":
      return day(0);
    case "time":
      return moment.slice(11, 19);
    case "interval":
      return `${row + 1} hours`;
    case "json":
    case "jsonb":
      return "{}";
    case "bytea":
      return `\\x0${row % 10}`;
    case "inet":
    case "cidr":
      return `10.0.${tenant}.${row + 1}`;
    case "macaddr":
      return `08:00:2b:01:0${tenant % 10}:0${row % 10}`;
    case "money":
      return String(n);
    case "tsvector":
      return column.replaceAll(/\W/g, "");
    case "bit":
    case "bit varying":
      return "1".repeat(base === "bit" ? Number(size ?? 1) : 1);
    case "daterange":
    case "tsrange":
    case "tstzrange":
      return `[${day(0)},${day(1)})`;
    case "int4range":
    case "int8range":
    case "numrange":
      return `[${n * 10},${n * 10 + 5})`;
    case "point":
      return `(${n},${n})`;
    case "vector":
      return `[${Array.from({ length: Number(size ?? 3) }, () => "0.5").join(",")}]`;
    case "ltree":
      return `a${n}`;
    case "hstore":
      return "";
    default:
      return undefined;
  }
}

/** Values to try where a check looks at a column: what the check names, and what such checks often want. */
export function candidates(
  column: ProofColumn,
  expressions: readonly string[],
  types: TypeNames,
  samples: readonly (string | undefined)[],
): readonly (string | null)[] {
  const made = types.get(column.type);
  const text = expressions.join(" ");
  const strings = [...text.matchAll(/'((?:[^']|'')*)'/g)].map(([, each = ""]) =>
    each.replaceAll("''", "'"),
  );
  const numbers = [...text.matchAll(/(?<![\w.'])-?\d+(?:\.\d+)?(?![\w.'])/g)].map(([each]) =>
    Number(each),
  );
  const base = made?.kind === "domain" ? (made.base ?? column.type) : column.type;
  const own: readonly (string | undefined)[] =
    made?.kind === "enum"
      ? [...made.labels]
      : base === "boolean"
        ? ["true", "false"]
        : /^(?:smallint|integer|bigint|numeric|real|double)/.test(base)
          ? [...samples, ...numbers.flatMap((n) => [String(n), String(n + 1), String(n - 1)])]
          : /^(?:text|character|citext)/.test(base)
            ? [...strings.filter((each) => !/[\\^$%]/.test(each)), ...samples, ...TEXTS]
            : /^(?:date|timestamp)/.test(base)
              ? [...samples, ...DAYS]
              : base.startsWith("json")
                ? ["{}", "[]", ...samples]
                : base.endsWith("[]")
                  ? ["{}", ...samples, ...elements(base.slice(0, -2), strings)]
                  : samples;
  const found = [...new Set(own.filter((each) => each !== undefined))].slice(0, 110);
  return column.notNull ? found : [...found, null];
}

/** The first and another day of this month, and days before and after it. */
const DAYS: readonly string[] = [
  [0, 1],
  [0, 15],
  [-1, 1],
  [1, 1],
  [2, 28],
].map(([months = 0, day = 1]) => {
  const now = new Date(START);
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + months, day))
    .toISOString()
    .slice(0, 10);
});

/** Arrays of one element. */
function elements(type: string, strings: readonly string[]): readonly string[] {
  if (type === "uuid") return ["{00000000-0000-4000-8000-000000000001}"];
  if (/^(?:smallint|integer|bigint|numeric)/.test(type)) return ["{1}", "{1,2}"];
  return /^(?:text|character)/.test(type) ? [`{${strings[0] ?? "a"}}`, "{a,b}"] : [];
}

/** One text of each form, then another of each: lists are cut at their end. */
const TEXTS: readonly string[] = ["a", "b", "c", "d", "e", "f"].flatMap((letter, at) => [
  letter,
  letter.repeat(8),
  `${letter.toUpperCase()}${at + 1}`,
  `${letter}${at + 1}@example.org`,
  letter.repeat(64),
  `https://example.org/${letter}`,
  letter.repeat(32),
  letter.repeat(40),
  `${2021 + at}-${22 + at}`,
  String(2021 + at),
  ["en", "de", "fr", "es", "it", "nl"][at] ?? "en",
  `#0${at}ff00`,
  ["EUR", "USD", "GBP", "CHF", "SEK", "INR"][at] ?? "EUR",
  ["Europe/Berlin", "UTC", "Asia/Kolkata", "America/Lima", "Asia/Tokyo", "Europe/Paris"][at] ??
    "UTC",
  `1.${at}.0`,
  `192.0.2.${at + 1}`,
]);
