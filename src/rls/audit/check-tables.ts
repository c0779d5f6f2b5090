import { qualified } from "../../sql/quote.ts";
import { isFor, POLICY_COMMANDS, roleList, tablePath, type Audited } from "./audited.ts";
import { finding, type Findings } from "./finding.ts";

const DATA = ["SELECT", "INSERT", "UPDATE", "DELETE"];

/** Whether row security is on, forced and not empty, on every table and every partition at every level. */
export function checkTables(database: Audited): Findings {
  return [
    ...database.tables
      .filter((table) => !database.isPartition(table))
      .flatMap((table) => checkTable(database, table)),
    ...checkPartitions(database),
  ];
}

function checkTable(database: Audited, table: Audited["tables"][number]): Findings {
  const path = tablePath(table);
  const name = qualified(table.schema, table.name);
  const change = `ALTER TABLE ${name}`;
  const policies = database.policiesOf(table);
  const granted = database.granted(table);
  const users = [...granted]
    .filter(([, privileges]) => DATA.some((privilege) => privileges.has(privilege)))
    .map(([role]) => role);
  if (!table.rowSecurity) {
    const turnOn = [`${change} ENABLE ROW LEVEL SECURITY`, `${change} FORCE ROW LEVEL SECURITY`];
    return [
      ...(policies.length === 0
        ? []
        : [
            finding(
              "policy_rls_disabled",
              path,
              `It has ${policies.length} policies, and none is in force: ROW LEVEL SECURITY is off.`,
              turnOn,
            ),
          ]),
      ...(users.length === 0
        ? []
        : [
            finding(
              "rls_disabled",
              path,
              `${users.join(", ")} may use it, and see the rows of everybody.`,
              turnOn,
            ),
            ...sensitiveColumns(database, table, users),
          ]),
    ];
  }
  return [
    ...(table.forceRowSecurity
      ? []
      : [
          finding(
            "rls_not_forced",
            path,
            `Its owner ${table.owner}, and every function, view and job that runs as it, sees and writes all rows.`,
            `${change} FORCE ROW LEVEL SECURITY`,
          ),
        ]),
    ...(policies.length > 0 || users.length === 0
      ? []
      : [
          finding(
            "policy_missing",
            path,
            `${users.join(", ")} may use it, and it has no policy: they see nothing, without an error.`,
            `REVOKE ALL ON TABLE ${name} FROM ${roleList(users)}`,
          ),
        ]),
    ...(policies.length === 0 ? [] : deadGrants(database, table)),
  ];
}

/** Privileges that no permissive policy lets their role use. */
function deadGrants(database: Audited, table: Audited["tables"][number]): Findings {
  const policies = database.policiesOf(table).filter(({ permissive }) => permissive);
  return [...database.granted(table)].flatMap(([role, privileges]) => {
    const rights = database.rightsOf(role);
    const dead = POLICY_COMMANDS.filter(
      (command) =>
        privileges.has(command.toUpperCase()) &&
        !policies.some(
          (policy) => isFor(policy, command) && policy.roles.some((each) => rights.has(each)),
        ),
    ).map((command) => command.toUpperCase());
    // What a policy for a member would let its member use is not dead: PUBLIC is granted for others.
    if (dead.length === 0 || role === "public") return [];
    return [
      finding(
        "dead_grant",
        tablePath(table),
        `${role} has ${dead.join(", ")}, and no policy shows it a row for that.`,
        `REVOKE ${dead.join(", ")} ON TABLE ${qualified(table.schema, table.name)} FROM ${roleList([role])}`,
      ),
    ];
  });
}

function checkPartitions(database: Audited): Findings {
  return database.tables
    .filter((table) => database.isPartition(table))
    .flatMap((table) => {
      const fact = database.facts.partitions.find(
        ({ schema, name }) => schema === table.schema && name === table.name,
      );
      if (fact === undefined || !database.isProtected(fact.root)) return [];
      const name = qualified(table.schema, table.name);
      const path = tablePath(table);
      const root = qualified(fact.root.schema, fact.root.name);
      const users = [...database.granted(table).keys()];
      return [
        ...(table.rowSecurity && table.forceRowSecurity
          ? []
          : [
              finding(
                "partition_without_rls",
                path,
                `The policies of ${root} hold for those who name ${root}; who names the partition is bound by the partition's own.`,
                [
                  `ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY`,
                  `ALTER TABLE ${name} FORCE ROW LEVEL SECURITY`,
                ],
              ),
            ]),
        ...(users.length === 0
          ? []
          : [
              finding(
                "partition_reachable",
                path,
                `${users.join(", ")} may name it, past ${root} and its policies.`,
                `REVOKE ALL ON TABLE ${name} FROM ${roleList(users)}`,
              ),
            ]),
      ];
    });
}

const SENSITIVE =
  /^(?:password(?:_hash|_digest)?|passwd|pwd|secret(?:_key)?|api_?key|access_?token|refresh_?token|auth_?token|token|ssn|social_security(?:_number)?|credit_?card(?:_number)?|card_number|cvv|cvc|iban|account_number|passport(?:_number)?|driver_?licen[cs]e|national_id|tax_id|medical_record|private_key|otp(?:_secret)?|mfa_secret|pin(?:_code)?|date_of_birth|biometric)$/;

function sensitiveColumns(
  database: Audited,
  table: Audited["tables"][number],
  users: readonly string[],
): Findings {
  const columns = database
    .columnsOf(table)
    .filter((column) =>
      SENSITIVE.test(column.toLowerCase().replaceAll("-", "_").replaceAll(" ", "_")),
    );
  const name = qualified(table.schema, table.name);
  return columns.length === 0
    ? []
    : [
        finding(
          "sensitive_columns",
          tablePath(table),
          `${users.join(", ")} may read ${columns.join(", ")} of everybody.`,
          [
            `ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY`,
            `ALTER TABLE ${name} FORCE ROW LEVEL SECURITY`,
          ],
        ),
      ];
}
