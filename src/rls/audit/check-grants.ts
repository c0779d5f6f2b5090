import { namedPath, schemaPath } from "../../catalog/path.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { roleList, tablePath, type Audited } from "./audited.ts";
import { finding, type Findings } from "./finding.ts";

/** Row security is not asked for any of these. */
const DANGEROUS = ["TRUNCATE", "REFERENCES", "TRIGGER"];

/** Whether the privileges stay within what row security looks at. */
export function checkGrants(database: Audited): Findings {
  return [
    ...database.tables.flatMap((table) => checkTable(database, table)),
    ...checkSchemas(database),
    ...checkDefaults(database),
    ...checkGrantOptions(database),
    ...checkForeignTables(database),
  ];
}

function checkTable(database: Audited, table: Audited["tables"][number]): Findings {
  const name = qualified(table.schema, table.name);
  return [...database.granted(table)].flatMap(([role, privileges]) => {
    const dangerous = DANGEROUS.filter((privilege) => privileges.has(privilege));
    const data = [...privileges].filter((privilege) => !DANGEROUS.includes(privilege));
    return [
      ...(dangerous.length === 0
        ? []
        : [
            finding(
              "dangerous_grant",
              tablePath(table),
              `${role} has ${dangerous.join(", ")}: TRUNCATE empties it for everybody, REFERENCES tells which keys are there, TRIGGER runs code as others.`,
              `REVOKE ${dangerous.join(", ")} ON TABLE ${name} FROM ${roleList([role])}`,
            ),
          ]),
      ...(role !== "public" || data.length === 0
        ? []
        : [
            finding(
              "public_grant",
              tablePath(table),
              `Every role of the server has ${data.join(", ")}, also one that nobody has made yet.`,
              `REVOKE ${data.join(", ")} ON TABLE ${name} FROM PUBLIC`,
            ),
          ]),
    ];
  });
}

function checkSchemas(database: Audited): Findings {
  const owners = new Map(database.facts.schemas.map(({ name, owner }) => [name, owner]));
  return database.facts.grants
    .filter(({ on, privileges }) => on === "schema" && privileges.includes("CREATE"))
    .filter(({ name, grantee }) => owners.get(name) !== grantee && !database.isTrusted(grantee))
    .map(({ name, grantee }) =>
      finding(
        "schema_create",
        schemaPath(name),
        `${grantee} can make a table, view or function there that others take for one of yours.`,
        `REVOKE CREATE ON SCHEMA ${ident(name)} FROM ${roleList([grantee])}`,
      ),
    );
}

function checkDefaults(database: Audited): Findings {
  return database.facts.defaultPrivileges
    .filter(({ on, role, grantee }) => on === "relation" && role !== grantee)
    .filter(({ grantee }) => !database.isTrusted(grantee))
    .flatMap(({ role, schema, grantee, privileges }) => {
      const bad =
        grantee === "public"
          ? privileges
          : privileges.filter((privilege) => DANGEROUS.includes(privilege));
      if (bad.length === 0) return [];
      const within = schema === null ? "" : ` IN SCHEMA ${ident(schema)}`;
      return [
        finding(
          "default_privileges",
          schema === null ? `role ${ident(role)}` : schemaPath(schema),
          `Each new table of ${role} will give ${grantee} ${bad.join(", ")}, before anybody has thought of its row security.`,
          `ALTER DEFAULT PRIVILEGES FOR ROLE ${ident(role)}${within} REVOKE ${bad.join(", ")} ON TABLES FROM ${roleList([grantee])}`,
        ),
      ];
    });
}

function checkGrantOptions(database: Audited): Findings {
  const owners = new Map(
    [...database.tables, ...database.facts.views].map(({ schema, name, owner }) => [
      qualified(schema, name),
      owner,
    ]),
  );
  return database.facts.grants
    .filter(({ on, grantable }) => on === "relation" && grantable.length > 0)
    .filter(({ schema, name, grantee }) => {
      const owner = owners.get(qualified(schema, name));
      return owner !== undefined && owner !== grantee && !database.isTrusted(grantee);
    })
    .map(({ schema, name, grantee, grantable }) =>
      finding(
        "grant_option",
        namedPath("table", schema, name),
        `${grantee} may give ${grantable.join(", ")} to anybody.`,
        `REVOKE GRANT OPTION FOR ${grantable.join(", ")} ON TABLE ${qualified(schema, name)} FROM ${roleList([grantee])} CASCADE`,
      ),
    );
}

function checkForeignTables(database: Audited): Findings {
  return database.more.foreignTables.flatMap(({ schema, name }) => {
    const entries = database.facts.grants.filter(
      (grant) => grant.on === "relation" && grant.schema === schema && grant.name === name,
    );
    const users = entries
      .filter(({ grantee, grantor }) => grantee !== grantor && !database.isTrusted(grantee))
      .map(({ grantee }) => grantee);
    return users.length === 0
      ? []
      : [
          finding(
            "foreign_table_granted",
            namedPath("foreign table", schema, name),
            `${users.join(", ")} may read it, and a foreign table cannot have row security.`,
            `REVOKE ALL ON TABLE ${qualified(schema, name)} FROM ${roleList(users)}`,
          ),
        ];
  });
}
