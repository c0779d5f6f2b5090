import type { DatabaseObject } from "../objects/object.ts";

const QUOTED = '"(?:[^"]|"")+"';

/** What holds no rows and is enforced by nothing else, so that it may go and come back. */
export const REMADE: ReadonlySet<string> = new Set([
  "view",
  "materializedView",
  "trigger",
  "policy",
]);

/** Whether an object would keep another from being dropped. A body of a function would not, nor what goes with the other. */
export function needs(object: DatabaseObject, other: DatabaseObject): boolean {
  if (object.id === other.id || object.within === other.id || object.kind === "function")
    return false;
  if (object.dependsOn.includes(other.id)) return object.kind !== "schedule";
  const quoted = new RegExp(`\\.(${QUOTED})(?:\\(.*\\))?$`).exec(other.id)?.[1];
  if (quoted === undefined || !["function", "view", "materializedView"].includes(other.kind))
    return false;
  const bare = quoted.slice(1, -1).replaceAll('""', '"');
  const called = other.kind === "function" ? "\\s*\\(" : "";
  const name = new RegExp(
    `(?:${escaped(quoted)}|(?<![\\w$"])${escaped(bare)}(?![\\w$"]))${called}`,
    "i",
  );
  return object.mentions.some((text) => name.test(text));
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
