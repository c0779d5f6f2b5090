import type { Definition } from "../definition/definition.ts";
import { objectsOf } from "./objects-of.ts";
import { settingsFor } from "./plan-install.ts";

/** Statements in one text: PGlite takes three times as long over a text of two thousand. */
const MOST_STATEMENTS = 50;

/**
 * Everything that a definition is made of as the texts of one transaction, for a scratch database that nobody else works in. A live one
 * gets `planInstall`.
 */
export function installScript(definition: Definition, before = ""): readonly string[] {
  const objects = objectsOf(definition);
  const texts = [`BEGIN;\n${before}${settingsFor(objects)}`];
  for (let at = 0; at < objects.length; at += MOST_STATEMENTS)
    texts.push(
      objects
        .slice(at, at + MOST_STATEMENTS)
        .map(({ create }) => `${create};\n`)
        .join(""),
    );
  return [...texts, "COMMIT"];
}
