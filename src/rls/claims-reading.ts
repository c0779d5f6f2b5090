import { literal } from "../sql/quote.ts";

/** Parts of a PL/pgSQL body. */
export interface ClaimsReading {
  readonly declared: string;
  readonly statements: string;
}

/**
 * Statements that make of `value`, the claims of a token, what a path leads to in them, and refuse what is no JSON object.
 *
 * The cast of what is none raises 22P02, of `\u0000` 22P05, and an EXCEPTION block is a subtransaction, which 15 and 16 refuse in a parallel plan. So it is
 * asked before: by `pg_input_is_valid`, which came with 16; on 15, which has no such question, by a reduction of the text. PL/pgSQL looks at the names in a
 * statement when it runs, so that 15 never misses that function.
 */
export function claimsReading(path: string, empty: string, malformed: string): ClaimsReading {
  return {
    declared: `
  valid boolean;
  claims pg_catalog.jsonb;
  rest text;
  before text;`,
    statements: `
  IF value = '' THEN
    ${empty}
  ELSIF value IS NOT NULL THEN
    IF pg_catalog.current_setting('server_version_num')::int >= 160000 THEN
      valid := pg_catalog.pg_input_is_valid(value, 'pg_catalog.jsonb');
    ELSE
${REDUCED}
    END IF;
    IF valid THEN
      claims := value::pg_catalog.jsonb;
      valid := pg_catalog.jsonb_typeof(claims) = 'object';
    END IF;
    IF NOT valid THEN
      ${malformed}
    END IF;
    value := claims ${path};
  END IF;`,
  };
}

const HEX = "[0-9a-fA-F]";

/** The code of an escaped character: not NUL, which jsonb cannot hold, and no half of a surrogate pair. */
const CODE = [
  `000[1-9a-fA-F]|00[1-9a-fA-F]${HEX}|0[1-9a-fA-F]${HEX}{2}`,
  `[1-9a-cA-CefEF]${HEX}{3}|[dD][0-7]${HEX}{2}`,
  String.raw`[dD][89abAB]${HEX}{2}\\u[dD][c-fC-F]${HEX}{2}`,
].join("|");

const STRING = String.raw`"(?:[^"\\\u0001-\u001f]|\\(?:["\\/bfnrt]|u(?:${CODE})))*"`;

/** The same without a backslash: half the time, which is most of it. */
const PLAIN_STRING = String.raw`"[^"\u0001-\u001f]*"`;

/** Words, and numbers as JSON has them. `numeric` keeps those with such an exponent, unless there are thousands of digits. */
const SCALAR = String.raw`true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?`;

/** Two characters that are in no JSON text stand for a string and for another value. */
const VALUE = String.raw`[\u0001\u0002]`;
const PAIR = String.raw`\u0001:${VALUE}`;
const COLLECTION = String.raw`\{(?:${PAIR}(?:,${PAIR})*)?\}|\[(?:${VALUE}(?:,${VALUE})*)?\]`;

const replaced = (from: string, pattern: string, by: 1 | 2) =>
  `pg_catalog.regexp_replace(${from}, ${literal(pattern).trim()}, pg_catalog.chr(${by}), 'g')`;

/** An object or array of values is a value, from the inmost on: what is JSON ends as one. */
const REDUCED = String.raw`      valid := false;
      IF pg_catalog.left(pg_catalog.ltrim(value, E' \t\n\r'), 1) = '{' AND pg_catalog.translate(value, E'\x01\x02', '') = value
        AND (pg_catalog.length(value) < 16000 OR value !~ '[0-9]{255}') THEN
        IF pg_catalog.strpos(value, E'\\') = 0 THEN
          rest := ${replaced("value", PLAIN_STRING, 1)};
        ELSE
          rest := ${replaced("value", STRING, 1)};
        END IF;
        rest := pg_catalog.translate(${replaced("rest", SCALAR, 2)}, E' \t\n\r', '');
        FOR depth IN 1..100 LOOP
          before := rest;
          rest := ${replaced("rest", COLLECTION, 2)};
          EXIT WHEN rest = before;
        END LOOP;
        valid := rest = pg_catalog.chr(2);
      END IF;`;
