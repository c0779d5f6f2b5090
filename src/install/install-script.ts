import type { Definition } from "../definition/definition.ts";
import { objectsOf } from "./objects-of.ts";
import { settingsFor } from "./plan-install.ts";

/**
 * Everything that a definition is made of as one transaction, for a scratch database that nobody else works in. A live one gets `planInstall`.
 */
export function installScript(definition: Definition, before = ""): string {
  const objects = objectsOf(definition);
  const create = objects.map((object) => `${object.create};\n`).join("");
  return `BEGIN;\n${before}${settingsFor(objects)}${create}COMMIT;`;
}
