import type { DatabaseObject } from "../../objects/object.ts";
import { pgFunction } from "../../objects/pg-function.ts";
import { pgTrigger } from "../../objects/pg-trigger.ts";
import { actingUser } from "./acting-user.ts";
import type { ProgressCardParts } from "./parts.ts";
import { hpcTables } from "./table-groups.ts";

/**
 * Who wrote a row and when, by trigger: a person cannot say that it was another, nor that it was yesterday. What is loaded without a context
 * keeps the authors that it brings.
 */
export function stampObjects(schema: string, parts: ProgressCardParts): readonly DatabaseObject[] {
  const { userProfiles, institutions, academicTerms, courses } = parts.tables;
  const times = pgFunction({
    schema,
    name: "hpc_stamp_times",
    returns: "trigger",
    language: "plpgsql",
    volatility: "volatile",
    comment: "Sets updated_at.",
    body: `BEGIN
  NEW.updated_at := pg_catalog.now();
  RETURN NEW;
END`,
  });
  const authorship = pgFunction({
    schema,
    name: "hpc_stamp_authorship",
    returns: "trigger",
    language: "plpgsql",
    volatility: "volatile",
    comment: "Sets created_by, updated_by and their times from the context.",
    body: `DECLARE
  actor uuid := ${actingUser(parts.access)};
BEGIN
  IF TG_OP = 'UPDATE' THEN
    NEW.updated_at := pg_catalog.now();
  END IF;
  IF actor IS NOT NULL THEN
    IF TG_OP = 'INSERT' THEN
      NEW.created_by := actor;
      NEW.created_at := pg_catalog.now();
    ELSE
      NEW.created_by := OLD.created_by;
      NEW.created_at := OLD.created_at;
    END IF;
    NEW.updated_by := actor;
    NEW.updated_at := pg_catalog.now();
  END IF;
  RETURN NEW;
END`,
  });
  return [
    times,
    authorship,
    ...[institutions, userProfiles, academicTerms, courses].map((table) =>
      pgTrigger({
        table,
        name: "stamp_times",
        timing: "before",
        events: ["update"],
        execute: times,
      }),
    ),
    ...hpcTables(parts.tables).map((table) =>
      pgTrigger({
        table,
        name: "stamp_authorship",
        timing: "before",
        events: ["insert", "update"],
        execute: authorship,
      }),
    ),
  ];
}
