/**
 * The functions that ask, as SQL. They are made for one transaction.
 *
 * Assignments stand in them, and not PERFORM or a loop over rows: those are queries, and would cost more than what is asked.
 */

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

/**
 * Asks the questions of one scene. What the scene does before is done once, and taken back when all are answered; what a question does is taken
 * back before the next. A change of session_replication_role throws away every plan of the session, so that it is the scene's too.
 */
const ASK = `CREATE FUNCTION pg_temp.underpin_ask(scene jsonb, askers jsonb) RETURNS text[] LANGUAGE plpgsql AS $ask$
DECLARE
  questions jsonb := scene -> 'questions'; q jsonb; kind text;
  answers text[] := '{}'; answer text; n bigint; code text; said text; held text; ignored text;
BEGIN
  BEGIN
    IF scene ? 'before' THEN EXECUTE scene ->> 'before'; END IF;
    IF scene ? 'live' THEN
      ignored := pg_catalog.set_config('session_replication_role', 'origin', true);
      SET CONSTRAINTS ALL IMMEDIATE;
    END IF;
    IF scene ? 'as' THEN ignored := pg_temp.underpin_become(askers -> (scene ->> 'as')::int); END IF;
    -- From here on as the asker, if the scene has one, who may call what is built in and nothing else.
    FOR at IN 0 .. pg_catalog.jsonb_array_length(questions) - 1 LOOP
      q := questions -> at;
      kind := q ->> 'kind';
      answer := NULL;
      BEGIN
        IF q ? 'as' AND kind <> 'switch' THEN ignored := pg_temp.underpin_become(askers -> (q ->> 'as')::int); END IF;
        IF kind = 'rows' THEN
          EXECUTE q ->> 'sql' INTO answer;
        ELSIF kind = 'count' THEN
          EXECUTE q ->> 'sql';
          GET DIAGNOSTICS n = ROW_COUNT;
          answer := n::text;
        ELSE
          ignored := pg_temp.underpin_become(askers -> (q ->> 'first')::int);
          ignored := pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true);
          EXECUTE 'PREPARE underpin_ask AS ' || (q ->> 'sql');
          EXECUTE 'EXECUTE underpin_ask' INTO answer;
          ignored := pg_catalog.set_config('role', 'none', true);
          ignored := pg_temp.underpin_become(askers -> (q ->> 'as')::int);
          EXECUTE 'EXECUTE underpin_ask' INTO answer;
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
      answers := answers || CASE
        WHEN code = 'UPASK' THEN said
        WHEN code <> '42501' THEN 'error ' || code || ' ' || coalesce(nullif(held, ''), said)
        WHEN held <> '' THEN 'refused ' || held
        WHEN said LIKE 'permission denied%' OR said LIKE 'must be owner%' THEN 'refused privilege'
        WHEN said LIKE '%row-level security%' THEN 'refused policy'
        ELSE 'refused ' || said END;
    END LOOP;
    RAISE EXCEPTION USING ERRCODE = 'UPASK';
  EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, said = MESSAGE_TEXT, held = CONSTRAINT_NAME;
  END;
  IF code <> 'UPASK' THEN
    said := 'error ' || code || ' before: ' || coalesce(nullif(held, ''), said);
    RETURN pg_catalog.array_fill(said, ARRAY[pg_catalog.jsonb_array_length(questions)]);
  END IF;
  RETURN answers;
END $ask$`;

const ASK_ALL = `CREATE FUNCTION pg_temp.underpin_ask_all(scenes jsonb, askers jsonb) RETURNS jsonb LANGUAGE plpgsql AS $ask$
DECLARE
  answers jsonb[] := '{}'; scene jsonb;
BEGIN
  FOR scene IN SELECT * FROM pg_catalog.jsonb_array_elements(scenes) LOOP
    -- One element is added in place; an array would be copied with all that are there.
    answers := answers || pg_catalog.to_jsonb(pg_temp.underpin_ask(scene, askers));
  END LOOP;
  RETURN pg_catalog.to_jsonb(answers);
END $ask$`;

/** The first of a change's questions that is answered otherwise, of as many as are looked at; null where none is. */
const FIRST = `CREATE FUNCTION pg_temp.underpin_first(questions jsonb, most int, scenes jsonb, askers jsonb, expected jsonb) RETURNS jsonb LANGUAGE plpgsql AS $ask$
DECLARE
  at int; answer text;
BEGIN
  FOR rank IN 0 .. most - 1 LOOP
    at := (questions ->> rank)::int;
    answer := (pg_temp.underpin_ask(scenes -> at, askers))[1];
    IF answer IS DISTINCT FROM expected ->> at THEN
      RETURN pg_catalog.jsonb_build_object('question', at, 'answer', answer);
    END IF;
  END LOOP;
  RETURN NULL;
END $ask$`;

/**
 * Makes changes and takes them back. Changes that stand together are made step by step, the changes of a step at once and one step on top of the other:
 * each change and each taking back lets PostgreSQL read the table's policies again, which costs more than a question. What is not shown there,
 * or cannot be made there, is made alone.
 */
const CHANGE_ALL = `CREATE FUNCTION pg_temp.underpin_change_all(changes jsonb, groups jsonb, scenes jsonb, askers jsonb, expected jsonb) RETURNS jsonb LANGUAGE plpgsql AS $ask$
DECLARE
  results jsonb[] := pg_catalog.array_fill(NULL::jsonb, ARRAY[pg_catalog.jsonb_array_length(changes)]);
  before jsonb[]; c jsonb; at int; steps jsonb; members jsonb; result jsonb;
BEGIN
  FOR steps IN SELECT * FROM pg_catalog.jsonb_array_elements(groups) LOOP
    before := results;
    BEGIN
      FOR step IN 0 .. pg_catalog.jsonb_array_length(steps) - 1 LOOP
        EXECUTE steps -> step ->> 'sql';
        members := steps -> step -> 'members';
        FOR rank IN 0 .. pg_catalog.jsonb_array_length(members) - 1 LOOP
          at := (members ->> rank)::int;
          c := changes -> at;
          results[at + 1] := pg_temp.underpin_first(c -> 'questions', (c ->> 'own')::int, scenes, askers, expected);
        END LOOP;
      END LOOP;
      RAISE EXCEPTION USING ERRCODE = 'UPASK';
    EXCEPTION WHEN OTHERS THEN
      IF SQLSTATE <> 'UPASK' THEN results := before; END IF;
    END;
  END LOOP;
  FOR place IN 0 .. pg_catalog.jsonb_array_length(changes) - 1 LOOP
    IF results[place + 1] IS NULL THEN
      c := changes -> place;
      BEGIN
        EXECUTE c ->> 'sql';
        result := coalesce(pg_temp.underpin_first(c -> 'questions', pg_catalog.jsonb_array_length(c -> 'questions'), scenes, askers, expected), '{}');
        RAISE EXCEPTION USING ERRCODE = 'UPASK';
      EXCEPTION WHEN OTHERS THEN
        IF SQLSTATE <> 'UPASK' THEN result := pg_catalog.jsonb_build_object('error', SQLSTATE || ' ' || SQLERRM); END IF;
      END;
      results[place + 1] := result;
    END IF;
  END LOOP;
  RETURN pg_catalog.to_jsonb(results);
END $ask$`;

/** Statements that make the functions that ask. */
export const RUNNER_FUNCTIONS: readonly string[] = [BECOME, ASK, ASK_ALL, FIRST, CHANGE_ALL];
