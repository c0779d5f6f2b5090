import type { TriggerFact } from "../../catalog/triggers.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { policySql } from "../policy-sql.ts";
import { besideName, parkedName, type Twins } from "./twins.ts";

/** What the table beside gets once it has the name: triggers, policies, row security, privileges and comments. */
export function carrySql(twins: Twins): readonly string[] {
  const { schema, table } = twins;
  const path = qualified(schema, table.name);
  return [
    ...twins.triggers.flatMap((trigger) => triggerSql(trigger, path)),
    ...twins.policies.flatMap((policy) => [
      policySql(policy, path),
      ...comment(`POLICY ${ident(policy.name)} ON ${path}`, policy.comment),
    ]),
    `ALTER TABLE ${path} ${table.rowSecurity ? "ENABLE" : "DISABLE"} ROW LEVEL SECURITY, ${table.forceRowSecurity ? "FORCE" : "NO FORCE"} ROW LEVEL SECURITY`,
    ...grantsSql(twins),
    ...comment(`TABLE ${path}`, table.comment),
    ...twins.indexes.flatMap((index) =>
      comment(`INDEX ${qualified(schema, index.name)}`, index.comment),
    ),
  ];
}

/** Triggers that would fire again where rows are written back. */
export function ownTriggers({ triggers }: Pick<Twins, "triggers">): readonly TriggerFact[] {
  return triggers.filter(({ enabled }) => enabled !== "disabled");
}

/** Lets no trigger of the first table fire while it is parked: what is written back, they saw. Called while it has its name. */
export function disableTriggersSql(twins: Twins): readonly string[] {
  const path = qualified(twins.schema, twins.table.name);
  return ownTriggers(twins).map(({ name }) => `ALTER TABLE ${path} DISABLE TRIGGER ${ident(name)}`);
}

/** Takes {@link disableTriggersSql} back. */
export function enableTriggersSql(twins: Twins): readonly string[] {
  const path = qualified(twins.schema, twins.table.name);
  return ownTriggers(twins).map(
    ({ name, enabled }) => `ALTER TABLE ${path} ${FIRES[enabled]} TRIGGER ${ident(name)}`,
  );
}

const FIRES = {
  origin: "ENABLE",
  disabled: "DISABLE",
  replica: "ENABLE REPLICA",
  always: "ENABLE ALWAYS",
} as const;

function triggerSql(trigger: TriggerFact, path: string): readonly string[] {
  const { name, definition, enabled } = trigger;
  return [
    definition,
    ...(enabled === "origin"
      ? []
      : [`ALTER TABLE ${path} ${FIRES[enabled]} TRIGGER ${ident(name)}`]),
    ...comment(`TRIGGER ${ident(name)} ON ${path}`, trigger.comment),
  ];
}

function comment(on: string, text: string | null): readonly string[] {
  return text === null ? [] : [`COMMENT ON ${on} IS ${literal(text)}`];
}

/** The names of both tables, their indexes and the sequences of identity columns, in the order in which each is free. */
export function renamesSql(twins: Twins, direction: "forth" | "back"): readonly string[] {
  const { schema, table, names, indexes, sequences } = twins;
  const all = [
    { kind: "TABLE", name: table.name, beside: names.beside, parked: names.parked },
    ...[
      ...indexes.map(({ name }) => ["INDEX", name] as const),
      ...sequences.flatMap(({ name, ownedBy }) =>
        ownedBy?.as === "identity" ? [["SEQUENCE", name] as const] : [],
      ),
    ].map(([kind, name]) => ({
      kind,
      name,
      beside: besideName(twins, name),
      parked: parkedName(twins, name),
    })),
  ];
  const rename = (kind: string, from: string, to: string) =>
    `ALTER ${kind} ${qualified(schema, from)} RENAME TO ${ident(to)}`;
  return all.flatMap(({ kind, name, beside, parked }) =>
    direction === "forth"
      ? [rename(kind, name, parked), rename(kind, beside, name)]
      : [rename(kind, name, beside), rename(kind, parked, name)],
  );
}

/** Called while each table has its first name; the numbers go on where they were. */
export function sequenceSql(twins: Twins, direction: "forth" | "back"): readonly string[] {
  const { schema, table, names, sequences } = twins;
  return sequences.flatMap(({ name, ownedBy }) => {
    if (ownedBy === null) return [];
    if (ownedBy.as === "serial")
      return [
        `ALTER SEQUENCE ${qualified(schema, name)} OWNED BY ${qualified(schema, direction === "forth" ? names.beside : table.name)}.${ident(ownedBy.column)}`,
      ];
    const beside = besideName(twins, name);
    const [from, to] = direction === "forth" ? [name, beside] : [beside, name];
    return [
      `SELECT pg_catalog.setval(${literal(qualified(schema, to))}::regclass, s.last_value, s.is_called) FROM ${qualified(schema, from)} AS s`,
    ];
  });
}

function grantsSql({ schema, table, grants }: Twins): readonly string[] {
  const path = qualified(schema, table.name);
  const to = (grantee: string) => (grantee === "public" ? "PUBLIC" : ident(grantee));
  const owner = grants.find(({ on, grantee }) => on === "relation" && grantee === table.owner);
  return [
    ...(owner === undefined ? [] : [`REVOKE ALL ON TABLE ${path} FROM ${ident(table.owner)}`]),
    ...grants.flatMap(({ grantee, privileges, grantable, on, detail }) => {
      const column = on === "column" && detail !== null ? ` (${ident(detail)})` : "";
      const list = (names: readonly string[]) => names.map((each) => `${each}${column}`).join(", ");
      const plain = privileges.filter((each) => !grantable.includes(each));
      return [
        ...(plain.length === 0 ? [] : [`GRANT ${list(plain)} ON TABLE ${path} TO ${to(grantee)}`]),
        ...(grantable.length === 0
          ? []
          : [`GRANT ${list(grantable)} ON TABLE ${path} TO ${to(grantee)} WITH GRANT OPTION`]),
      ];
    }),
  ];
}
