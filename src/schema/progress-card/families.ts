import type { DatabaseObject } from "../../objects/object.ts";
import { pgFunction } from "../../objects/pg-function.ts";
import { pgTrigger } from "../../objects/pg-trigger.ts";
import { qualified } from "../../sql/quote.ts";
import type { ProgressCardParts } from "./parts.ts";

/**
 * Holds `parent_of` to students of the same institution, as a foreign key would: PostgreSQL has none for the elements of an array.
 *
 * A student who is named is locked FOR SHARE, and one who leaves is looked for among the parents after that, so that neither transaction misses the other.
 */
export function familyObjects(
  schema: string,
  { tables }: ProgressCardParts,
): readonly DatabaseObject[] {
  const profiles = qualified(schema, "user_profiles");
  const check = pgFunction({
    schema,
    name: "hpc_check_family",
    returns: "trigger",
    language: "plpgsql",
    volatility: "volatile",
    comment:
      "Refuses a child that is no student of the institution, and the leaving of one who is a child.",
    body: `DECLARE
  missing uuid;
BEGIN
  IF TG_OP <> 'DELETE' THEN
    IF NEW.parent_of <> '{}'
       AND (NEW.parent_of, NEW.institution_id) IS DISTINCT FROM (OLD.parent_of, OLD.institution_id) THEN
      PERFORM 1 FROM ${profiles} AS p
      WHERE p.institution_id = NEW.institution_id AND p.id = ANY (NEW.parent_of)
      FOR SHARE;
      SELECT c.id INTO missing FROM pg_catalog.unnest(NEW.parent_of) AS c (id)
      WHERE NOT EXISTS (
        SELECT FROM ${profiles} AS p
        WHERE p.institution_id = NEW.institution_id AND p.id = c.id AND p.role = 'student'
      )
      LIMIT 1;
      IF FOUND THEN
        RAISE foreign_key_violation USING
          MESSAGE = pg_catalog.format('%s is no student of the institution', missing),
          CONSTRAINT = 'user_profiles_parent_of_students', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = 'parent_of';
      END IF;
    END IF;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    IF OLD.role <> 'student' THEN RETURN NULL; END IF;
    IF TG_OP = 'UPDATE' THEN
      IF NEW.role = 'student' AND NEW.id = OLD.id AND NEW.institution_id = OLD.institution_id THEN
        RETURN NULL;
      END IF;
    END IF;
    IF EXISTS (
      SELECT FROM ${profiles} AS p
      WHERE p.institution_id = OLD.institution_id AND p.role = 'parent' AND OLD.id = ANY (p.parent_of)
    ) THEN
      RAISE foreign_key_violation USING
        MESSAGE = 'the student is in the parent_of of a parent',
        CONSTRAINT = 'user_profiles_is_a_child', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
        HINT = 'Take the student out of parent_of first.';
    END IF;
  END IF;
  RETURN NULL;
END`,
  });
  return [
    check,
    pgTrigger({
      table: tables.userProfiles,
      name: "check_family",
      timing: "after",
      events: ["insert", "update", "delete"],
      execute: check,
    }),
  ];
}
