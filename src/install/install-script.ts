import type { Definition } from "../definition/definition.ts";
import type { DatabaseObject } from "../objects/object.ts";
import { doBlock } from "../sql/dollar-quoted.ts";
import { objectsOf } from "./objects-of.ts";
import { settingsFor } from "./plan-install.ts";

/** Statements in one text: PGlite takes three times as long over a text of two thousand. */
const MOST_STATEMENTS = 50;

/**
 * Everything that a definition is made of as the texts of one transaction, for a scratch database that nobody else works in. A live one
 * gets `planInstall`.
 */
export function installScript(definition: Definition, before = ""): readonly string[] {
  return ["BEGIN", ...makingScript(objectsOf(definition), before), "COMMIT"];
}

/** Objects in their order as texts for one transaction, after what must be there before. */
export function makingScript(
  objects: readonly DatabaseObject[],
  before: string,
): readonly string[] {
  const texts = [`${hostRoles(objects)}${before}${settingsFor(objects)}`];
  for (let at = 0; at < objects.length; at += MOST_STATEMENTS)
    texts.push(
      objects
        .slice(at, at + MOST_STATEMENTS)
        .map(({ create }) => `${create};\n`)
        .join(""),
    );
  return texts;
}

/**
 * Roles that are needed and not declared belong to the host's cluster, as `authenticated` to Supabase's. What begins with pg_ is the
 * server's own, and a name that nobody else may take (42939).
 */
function hostRoles(objects: readonly DatabaseObject[]): string {
  const declared = new Set(objects.map(({ id }) => id));
  const needed = new Set(objects.flatMap(({ dependsOn }) => dependsOn));
  return [...needed]
    .filter((id) => id.startsWith('role "') && !id.startsWith('role "pg_') && !declared.has(id))
    .map(
      (id) => `${doBlock(`BEGIN CREATE ${id}; EXCEPTION WHEN duplicate_object THEN NULL; END`)};\n`,
    )
    .join("");
}
