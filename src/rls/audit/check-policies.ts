import type { PolicyFact } from "../../catalog/policies.ts";
import { partPath } from "../../catalog/path.ts";
import { ident, qualified } from "../../sql/quote.ts";
import {
  isFor,
  POLICY_COMMANDS,
  roleList,
  tablePath,
  type Audited,
  type PolicyCommand,
} from "./audited.ts";
import { bareCalls, correlated, isTrue, spellings, withSubSelects } from "./expression.ts";
import { finding, type Findings } from "./finding.ts";

/** Whether each policy restricts what it seems to, for whom it names, and once for each statement. */
export function checkPolicies(database: Audited): Findings {
  const functions = new Set(
    database.facts.functions
      .filter(({ volatility }) => volatility !== "immutable")
      .flatMap(({ schema, name }) => spellings(schema, name)),
  );
  return database.tables.flatMap((table) => {
    const policies = database.policiesOf(table);
    return [
      ...policies.flatMap((policy) => [
        ...checkReach(database, table, policy),
        ...checkText(database, table, policy, functions),
      ]),
      ...checkFloor(database, table),
      ...checkOverlap(table, policies),
    ];
  });
}

type Table = Audited["tables"][number];

function pathOf(table: Table, policy: PolicyFact): string {
  return partPath("policy", policy.name, tablePath(table));
}

function on(table: Table, policy: PolicyFact): string {
  return `${ident(policy.name)} ON ${qualified(table.schema, table.name)}`;
}

/** The expression that decides over rows that are written. */
function checkOf({ check, using }: PolicyFact): string | null {
  return check ?? using;
}

function checkReach(database: Audited, table: Table, policy: PolicyFact): Findings {
  const path = pathOf(table, policy);
  const hasPredicate = (policy.command === "insert" ? policy.check : policy.using) !== null;
  const floor = database.usualFloor(table);
  if (!policy.permissive && !hasPredicate) {
    const clause = policy.command === "insert" ? "" : ` USING (${floor})`;
    const check =
      policy.command === "select" || policy.command === "delete" ? "" : ` WITH CHECK (${floor})`;
    return [
      finding(
        "restrictive_without_predicate",
        path,
        "Without a predicate a restrictive policy is true for every row, and there is no floor.",
        floor === undefined
          ? `DROP POLICY ${on(table, policy)}`
          : `ALTER POLICY ${on(table, policy)}${clause}${check}`,
      ),
    ];
  }
  return [
    ...(policy.roles.includes("public") ? [toPublic(database, table, policy)] : []),
    ...(policy.permissive
      ? [...alwaysTrue(database, table, policy), ...unused(database, table, policy)]
      : []),
  ];
}

function toPublic(database: Audited, table: Table, policy: PolicyFact): Findings[number] {
  const users = [...database.granted(table).keys()].filter((role) => role !== "public");
  return finding(
    "policy_to_public",
    pathOf(table, policy),
    "It holds for every role, also one that nobody thought of when it was written.",
    users.length === 0
      ? `DROP POLICY ${on(table, policy)}`
      : `ALTER POLICY ${on(table, policy)} TO ${roleList(users)}`,
  );
}

function alwaysTrue(database: Audited, table: Table, policy: PolicyFact): Findings {
  const writes: readonly PolicyCommand[] = ["insert", "update", "delete"];
  const open = writes.filter((command) => {
    const expression = command === "delete" ? policy.using : checkOf(policy);
    return isFor(policy, command) && expression !== null && isTrue(expression);
  });
  const roles = policy.roles.filter((role) => !database.isTrusted(role));
  const isUnder = (role: string, command: PolicyCommand) =>
    restrictive(database, table, role).some((floor) => isFor(floor, command));
  const free = roles.filter((role) => open.some((command) => !isUnder(role, command)));
  if (free.length === 0) return [];
  const floor = database.usualFloor(table);
  return [
    finding(
      "policy_always_true",
      pathOf(table, policy),
      `It is true for every row, and ${free.join(", ")} is under no restrictive policy: ${open.join(", ")} of rows of everybody.`,
      floor === undefined
        ? `DROP POLICY ${on(table, policy)}`
        : `CREATE POLICY ${ident(`${policy.name}_floor`)} ON ${qualified(table.schema, table.name)} AS RESTRICTIVE TO ${roleList(free)} USING (${floor}) WITH CHECK (${floor})`,
    ),
  ];
}

function restrictive(database: Audited, table: Table, role: string): readonly PolicyFact[] {
  const rights = database.rightsOf(role);
  return database
    .policiesOf(table)
    .filter(({ permissive, roles }) => !permissive && roles.some((each) => rights.has(each)));
}

/** A policy for a role that has none of the privileges that the policy speaks of. */
function unused(database: Audited, table: Table, policy: PolicyFact): Findings {
  const wanted = POLICY_COMMANDS.filter((command) => isFor(policy, command)).map((command) =>
    command.toUpperCase(),
  );
  const grants = database.facts.grants.filter(
    ({ on: kind, schema, name }) =>
      (kind === "relation" || kind === "column") && schema === table.schema && name === table.name,
  );
  const mayUse = (role: string) => {
    const rights = database.rightsOf(role);
    return grants.some(
      ({ grantee, privileges }) =>
        rights.has(grantee) && privileges.some((privilege) => wanted.includes(privilege)),
    );
  };
  const without = policy.roles.filter(
    (role) => role !== "public" && !database.isSuperuser(role) && !mayUse(role),
  );
  if (without.length === 0) return [];
  const rest = policy.roles.filter((role) => !without.includes(role));
  return [
    finding(
      "policy_without_grant",
      pathOf(table, policy),
      `${without.join(", ")} has no ${wanted.join(", ")} on the table.`,
      rest.length === 0
        ? `DROP POLICY ${on(table, policy)}`
        : `ALTER POLICY ${on(table, policy)} TO ${roleList(rest)}`,
    ),
  ];
}

/** A role that a permissive policy lets in and that the table's floor does not name. */
function checkFloor(database: Audited, table: Table): Findings {
  const policies = database.policiesOf(table);
  const floor = policies.find(({ permissive, using }) => !permissive && using !== null);
  if (floor === undefined) return [];
  const gaps = [
    ...new Set(policies.filter(({ permissive }) => permissive).flatMap(({ roles }) => roles)),
  ]
    .filter((role) => !database.isTrusted(role))
    .filter((role) => restrictive(database, table, role).length === 0);
  return gaps.length === 0
    ? []
    : [
        finding(
          "floor_gap",
          pathOf(table, floor),
          `${gaps.join(", ")} reaches rows by a permissive policy, and this restrictive one does not name it.`,
          `ALTER POLICY ${on(table, floor)} TO ${roleList([...floor.roles, ...gaps])}`,
        ),
      ];
}

function checkText(
  database: Audited,
  table: Table,
  policy: PolicyFact,
  functions: ReadonlySet<string>,
): Findings {
  const columns = new Set(
    database
      .columnsOf(table)
      .flatMap((column) =>
        /^[a-z_]\w*$/.test(column) ? [column, ident(column)] : [ident(column)],
      ),
  );
  const path = pathOf(table, policy);
  const mend = (change: (text: string) => string) => {
    const clauses = [
      policy.using === null ? "" : ` USING (${change(policy.using)})`,
      policy.check === null ? "" : ` WITH CHECK (${change(policy.check)})`,
    ];
    return `ALTER POLICY ${on(table, policy)}${clauses.join("")}`;
  };
  const texts = [policy.using, policy.check].filter((text) => text !== null);
  const calls = texts.flatMap((text) => bareCalls(text, functions).map(({ name }) => name));
  const wrap = (text: string) => withSubSelects(text, bareCalls(text, functions));
  const unwrap = (text: string) =>
    [...correlated(text, columns)].reduceRight(
      (done, { from, to, inner }) => done.slice(0, from) + inner + done.slice(to),
      text,
    );
  return [
    ...(calls.length === 0
      ? []
      : [
          finding(
            "policy_per_row",
            path,
            `${[...new Set(calls)].join(", ")} runs for each row that is looked at; in a sub-select it runs once for the statement.`,
            mend(wrap),
          ),
        ]),
    ...(texts.every((text) => correlated(text, columns).length === 0)
      ? []
      : [
          finding(
            "policy_correlated",
            path,
            "A sub-select that names a column of the row runs for each row, and no index is used.",
            mend((text) => wrap(unwrap(text))),
          ),
        ]),
    ...(texts.some((text) => USER_WRITTEN.test(text))
      ? [
          finding(
            "policy_trusts_user",
            path,
            "Users write user_metadata themselves; only app_metadata is the server's.",
            mend((text) =>
              text
                .replaceAll("raw_user_meta_data", "raw_app_meta_data")
                .replaceAll("user_metadata", "app_metadata"),
            ),
          ),
        ]
      : []),
  ];
}

const USER_WRITTEN = /\buser_metadata\b|\braw_user_meta_data\b/;

/** Permissive policies that are both for one role and one command, mended by one for each role and command. */
function checkOverlap(table: Table, policies: readonly PolicyFact[]): Findings {
  const permissive = policies.filter((policy) => policy.permissive);
  const roles = [...new Set(permissive.flatMap((policy) => policy.roles))];
  const cells = roles.flatMap((role) =>
    POLICY_COMMANDS.map((command) => ({
      role,
      command,
      by: permissive.filter((policy) => policy.roles.includes(role) && isFor(policy, command)),
    })),
  );
  const crowded = cells.filter(({ by }) => by.length > 1);
  if (crowded.length === 0) return [];
  const replaced = new Set(crowded.flatMap(({ by }) => by));
  const name = qualified(table.schema, table.name);
  return [
    finding(
      "policies_overlap",
      tablePath(table),
      `${crowded.map(({ role, command, by }) => `${by.length} for ${role} and ${command}`).join(", ")}: all of them are computed for each row, in no order that PostgreSQL promises.`,
      [
        ...[...replaced].map((policy) => `DROP POLICY ${ident(policy.name)} ON ${name}`),
        ...cells.flatMap(({ role, command, by }) => {
          const parts = by.filter((policy) => replaced.has(policy));
          if (parts.length === 0) return [];
          const any = (list: readonly (string | null)[]) =>
            list.map((text) => text ?? "false").join(" OR ");
          const using =
            command === "insert" ? "" : ` USING (${any(parts.map((part) => part.using))})`;
          const check =
            command === "insert" || command === "update"
              ? ` WITH CHECK (${any(parts.map(checkOf))})`
              : "";
          return [
            `CREATE POLICY ${ident(`${role}_${command}`)} ON ${name} FOR ${command.toUpperCase()} TO ${roleList([role])}${using}${check}`,
          ];
        }),
      ],
    ),
  ];
}
