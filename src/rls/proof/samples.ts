import type { ColumnFact } from "../../catalog/columns.ts";
import type { TypeFact } from "../../catalog/types.ts";
import { ident, qualified } from "../../sql/quote.ts";

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
export type TypeNames = ReadonlyMap<string, TypeFact>;

/** The types that somebody made, by each way to print them. */
export function typeNames(types: readonly TypeFact[]): TypeNames {
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
const START = Date.UTC(2026, 0, 5, 12);

/** A value of a type as text, or undefined where the type is not known. */
export function sample(wanted: SampleFor): string | undefined {
  const { type, row, tenant, global, types, column } = wanted;
  const made = types.get(type);
  if (made?.kind === "enum") return made.labels[row % Math.max(made.labels.length, 1)];
  if (made?.kind === "domain" && made.domain !== null)
    return sample({ ...wanted, type: made.domain.type });
  if (type.endsWith("[]")) return "{}";
  const [, base = type, size] =
    /^([a-z ]+?)(?:\((\d+)(?:,\d+)?\))?( with(?:out)? time zone)?$/.exec(type) ?? [];
  const n = global ? tenant * 100 + row + 1 : row + 1;
  const at = START + (global ? tenant * 100 + row : row) * DAY;
  const iso = new Date(at).toISOString();
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
      return text.slice(-Math.min(Number(size ?? 60), 60));
    }
    case "timestamp":
    case "timestamptz":
      return iso;
    case "date":
      return iso.slice(0, 10);
    case "time":
      return iso.slice(11, 19);
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
      return `[${iso.slice(0, 10)},${new Date(at + DAY).toISOString().slice(0, 10)})`;
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
  column: ColumnFact,
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
  const base = made?.kind === "domain" ? (made.domain?.type ?? column.type) : column.type;
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
              ? [...samples, "2026-01-01", "2026-01-20", "2026-02-28", "2025-12-01"]
              : base.startsWith("json")
                ? ["{}", "[]", ...samples]
                : base.endsWith("[]")
                  ? ["{}", ...samples, `{${strings[0] ?? "a"}}`]
                  : samples;
  const found = [...new Set(own.filter((each) => each !== undefined))].slice(0, 14);
  return column.notNull ? found : [...found, null];
}

const TEXTS = [
  "a",
  "abcdefgh",
  "A1",
  "someone@example.org",
  "https://example.org/a",
  "2026",
  "2026-27",
  "a".repeat(32),
  "a".repeat(64),
  "en",
  "#00ff00",
  "EUR",
  "Europe/Berlin",
];
