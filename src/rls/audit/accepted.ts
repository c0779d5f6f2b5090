import { namedPath, partPath } from "../../catalog/path.ts";
import type { Definition } from "../../definition/definition.ts";
import { tableRules } from "../../definition/table-rules.ts";
import { is } from "drizzle-orm";
import { PgTable } from "drizzle-orm/pg-core";
import { targetOf } from "../../plan/target.ts";
import type { CheckId } from "./finding.ts";

/** A finding that somebody looked at and keeps. */
export interface Accepted {
  readonly check: CheckId;
  /** Its object, as the finding writes it; left out: all of the check. */
  readonly object?: string;
  readonly reason: string;
}

/**
 * The keys that a definition lets hold across tenants, as what an audit accepts.
 *
 * The reason is in the rules of the table and not in the catalog: whoever audits without the definition is told of each.
 */
export function acceptedKeys(definition: Definition): readonly Accepted[] {
  return Object.values(definition.tables)
    .filter((entity) => is(entity, PgTable))
    .flatMap((table) => {
      const { schema, name } = targetOf({ table });
      return Object.entries(tableRules(table)?.globalKeys ?? {}).flatMap(
        ([key, reason]): readonly Accepted[] => [
          { check: "unique_oracle", object: namedPath("index", schema, key), reason },
          {
            check: "foreign_key_oracle",
            object: partPath("constraint", key, namedPath("table", schema, name)),
            reason,
          },
        ],
      );
    });
}
