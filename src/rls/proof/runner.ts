import type { Queryable } from "../../executor/executor.ts";

/**
 * Runs many small questions inside the database, each in a subtransaction of its own that is taken back: a round trip for each would
 * cost more than all of them.
 */

/** Settings to ask under: who, and what the context holds. */
export interface Asker {
  /** Null: as who runs the proof. */
  readonly role: string | null;
  readonly settings: readonly (readonly [name: string, value: string])[];
}

/** One question. */
export interface Question {
  /** What is asked, as its asker. */
  readonly sql: string;
  /** Whose context: a place in the list of askers. */
  readonly as: number;
  /** `rows`: the answer is the text that it returns; `count`: how many rows it changed; `switch`: as `rows`, by a prepared statement that was run as `first` before. */
  readonly kind: "rows" | "count" | "switch";
  readonly first?: number;
  /** Done before, as who runs the proof. */
  readonly before?: string;
  /** Asked after, as who runs the proof; its answer counts. */
  readonly after?: string;
  /** With triggers and foreign keys at work. */
  readonly live?: boolean;
}

/** Something that is done, and the questions whose answers show it. */
export interface Change {
  readonly sql: string;
  /** Places in the list of questions. */
  readonly questions: readonly number[];
}

/** What became of a change. */
export interface Changed {
  /** Why it could not be made. */
  readonly error?: string;
  /** The first question that is answered otherwise, and the answer. */
  readonly question?: number;
  readonly answer?: string;
}

// Assignments, and not PERFORM or a loop over rows: those are queries, and would cost more than what is asked.
const ASK = `CREATE FUNCTION pg_temp.underpin_ask(q jsonb, askers jsonb) RETURNS text LANGUAGE plpgsql AS $ask$
DECLARE
  asker jsonb := askers -> (q ->> 'as')::int;
  kind text := q ->> 'kind';
  answer text; n bigint; code text; said text; held text; ignored text;
BEGIN
  BEGIN
    IF q ? 'before' THEN EXECUTE q ->> 'before'; END IF;
    IF q ? 'live' THEN
      ignored := pg_catalog.set_config('session_replication_role', 'origin', true);
      SET CONSTRAINTS ALL IMMEDIATE;
    END IF;
    IF kind = 'switch' THEN
      ignored := pg_temp.underpin_become(askers -> (q ->> 'first')::int);
      ignored := pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true);
      EXECUTE 'PREPARE underpin_ask AS ' || (q ->> 'sql');
      EXECUTE 'EXECUTE underpin_ask' INTO answer;
      ignored := pg_catalog.set_config('role', 'none', true);
    END IF;
    ignored := pg_temp.underpin_become(asker);
    IF kind = 'switch' THEN
      EXECUTE 'EXECUTE underpin_ask' INTO answer;
    ELSIF kind = 'rows' THEN
      EXECUTE q ->> 'sql' INTO answer;
    ELSE
      EXECUTE q ->> 'sql';
      GET DIAGNOSTICS n = ROW_COUNT;
      answer := n::text;
    END IF;
    IF q ? 'after' THEN
      ignored := pg_catalog.set_config('role', 'none', true);
      EXECUTE q ->> 'after' INTO answer;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'UPASK', MESSAGE = 'ok ' || coalesce(answer, '');
  EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, said = MESSAGE_TEXT, held = CONSTRAINT_NAME;
  END;
  IF kind = 'switch' THEN
    BEGIN EXECUTE 'DEALLOCATE underpin_ask'; EXCEPTION WHEN OTHERS THEN NULL; END;
  END IF;
  IF code = 'UPASK' THEN RETURN said; END IF;
  IF code = '42501' THEN
    RETURN 'refused ' || CASE
      WHEN held <> '' THEN held
      WHEN said LIKE 'permission denied%' OR said LIKE 'must be owner%' THEN 'privilege'
      WHEN said LIKE '%row-level security%' THEN 'policy'
      ELSE said END;
  END IF;
  RETURN 'error ' || code || ' ' || coalesce(nullif(held, ''), said);
END $ask$`;

/** Sets the context of an asker, and last its role, which may be allowed nothing else. */
const BECOME = `CREATE FUNCTION pg_temp.underpin_become(asker jsonb) RETURNS text LANGUAGE plpgsql AS $ask$
DECLARE
  settings jsonb := asker -> 'settings'; setting jsonb; ignored text;
BEGIN
  FOR at IN 0 .. pg_catalog.jsonb_array_length(settings) - 1 LOOP
    setting := settings -> at;
    ignored := pg_catalog.set_config(setting ->> 0, setting ->> 1, true);
  END LOOP;
  IF asker ->> 'role' IS NOT NULL THEN ignored := pg_catalog.set_config('role', asker ->> 'role', true); END IF;
  RETURN NULL;
END $ask$`;

const ASK_ALL = `CREATE FUNCTION pg_temp.underpin_ask_all(questions jsonb, askers jsonb) RETURNS jsonb LANGUAGE plpgsql AS $ask$
DECLARE
  answers text[] := '{}'; q jsonb;
BEGIN
  FOR q IN SELECT * FROM pg_catalog.jsonb_array_elements(questions) LOOP
    answers := answers || pg_temp.underpin_ask(q, askers);
  END LOOP;
  RETURN pg_catalog.to_jsonb(answers);
END $ask$`;

const CHANGE_ALL = `CREATE FUNCTION pg_temp.underpin_change_all(changes jsonb, questions jsonb, askers jsonb, expected jsonb) RETURNS jsonb LANGUAGE plpgsql AS $ask$
DECLARE
  results jsonb[] := '{}'; c jsonb; at jsonb; result jsonb; answer text;
BEGIN
  FOR c IN SELECT * FROM pg_catalog.jsonb_array_elements(changes) LOOP
    result := '{}';
    BEGIN
      EXECUTE c ->> 'sql';
      FOR at IN SELECT * FROM pg_catalog.jsonb_array_elements(c -> 'questions') LOOP
        answer := pg_temp.underpin_ask(questions -> at::int, askers);
        IF answer IS DISTINCT FROM expected ->> at::int THEN
          result := pg_catalog.jsonb_build_object('question', at, 'answer', answer);
          EXIT;
        END IF;
      END LOOP;
      RAISE EXCEPTION USING ERRCODE = 'UPASK';
    EXCEPTION WHEN OTHERS THEN
      IF SQLSTATE <> 'UPASK' THEN result := pg_catalog.jsonb_build_object('error', SQLSTATE || ' ' || SQLERRM); END IF;
    END;
    results := results || result;
  END LOOP;
  RETURN pg_catalog.to_jsonb(results);
END $ask$`;

/** Makes the functions that ask, for this transaction. */
export async function prepareRunner(db: Queryable): Promise<void> {
  await db.query(`${BECOME};\n${ASK};\n${ASK_ALL};\n${CHANGE_ALL}`);
}

/** The answers: `ok …` with what was returned, `refused …` for 42501 with what refused, `error …` with code and constraint. */
export async function ask(
  db: Queryable,
  questions: readonly Question[],
  askers: readonly Asker[],
): Promise<readonly string[]> {
  if (questions.length === 0) return [];
  const [row] = await db.query<{ answers: readonly string[] }>(
    "SELECT pg_temp.underpin_ask_all($1::jsonb, $2::jsonb) AS answers",
    [JSON.stringify(questions), JSON.stringify(askers)],
  );
  return row?.answers ?? [];
}

/** Makes each change, asks its questions until one is answered otherwise than expected, and takes it back. */
export async function askAfter(
  db: Queryable,
  changes: readonly Change[],
  questions: readonly Question[],
  askers: readonly Asker[],
  expected: readonly string[],
): Promise<readonly Changed[]> {
  if (changes.length === 0) return [];
  const [row] = await db.query<{ results: readonly Changed[] }>(
    "SELECT pg_temp.underpin_change_all($1::jsonb, $2::jsonb, $3::jsonb, $4::jsonb) AS results",
    [changes, questions, askers, expected].map((each) => JSON.stringify(each)),
  );
  return row?.results ?? [];
}
