import { namedPath } from "../catalog/path.ts";
import { targetOf, type TableTarget } from "../plan/target.ts";
import { qualified } from "../sql/quote.ts";
import { databaseObject, type DatabaseObject } from "./object.ts";

/**
 * Row security for everybody, the table's owner included. Without FORCE the owner sees and writes everything, and most
 * applications log in as the owner.
 */
export function pgForceRowSecurity(target: TableTarget): DatabaseObject {
  const { schema, name } = targetOf(target);
  const path = namedPath("table", schema, name);
  const change = `ALTER TABLE ${qualified(schema, name)}`;
  const locks = [{ schema, name, mode: "accessExclusive" as const }];
  return databaseObject({
    kind: "rowSecurity",
    id: `forced row security of ${path}`,
    create: `${change} FORCE ROW LEVEL SECURITY`,
    drop: `${change} NO FORCE ROW LEVEL SECURITY`,
    dependsOn: [path, `row security of ${path}`],
    within: path,
    locks,
    dropLocks: locks,
  });
}
