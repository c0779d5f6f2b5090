import type { TriggerFact } from "../../catalog/triggers.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { policySql } from "../policy-sql.ts";
import { flatName, parkedName, type Flat } from "./flat-of.ts";
import { catchUpFlatSql, lockFlatSql, unwatchSql, watchFunctionSql, watchSql } from "./flat-sql.ts";

/** Gives the plain table the name of the partitioned one, and all that goes with it. */
export function flattenSql(flat: Flat): string {
  const { schema, table, names } = flat;
  const path = qualified(schema, table.name);
  return [
    lockFlatSql(schema, [table.name, names.plain], "ACCESS EXCLUSIVE"),
    lateLeavesSql(flat),
    catchUpFlatSql(flat, table.name, names.plain, false),
    watchFunctionSql(flat, names.watch, false),
    ...sequenceSql(flat, "forth"),
    ...ownTriggers(flat).map(({ name }) => `ALTER TABLE ${path} DISABLE TRIGGER ${ident(name)}`),
    rename(schema, "TABLE", table.name, names.parked),
    rename(schema, "TABLE", names.plain, table.name),
    ...renamesSql(flat, "forth"),
    ...flat.triggers.flatMap((trigger) => triggerSql(trigger, path)),
    ...flat.policies.flatMap((policy) => [
      policySql(policy, path),
      ...comment(`POLICY ${ident(policy.name)} ON ${path}`, policy.comment),
    ]),
    `ALTER TABLE ${path} ${table.rowSecurity ? "ENABLE" : "DISABLE"} ROW LEVEL SECURITY, ${table.forceRowSecurity ? "FORCE" : "NO FORCE"} ROW LEVEL SECURITY`,
    ...grantsSql(flat),
    ...comment(`TABLE ${path}`, table.comment),
    ...flat.indexes.flatMap((index) =>
      comment(`INDEX ${qualified(schema, index.name)}`, index.comment),
    ),
    watchSql(flat, table.name, names.watchBack),
  ].join(";\n");
}

/** Gives the name back to the partitioned table, with the rows that were written meanwhile. */
export function unflattenSql(flat: Flat): string {
  const { schema, table, names } = flat;
  const path = qualified(schema, table.name);
  return [
    lockFlatSql(schema, [table.name, names.parked], "ACCESS EXCLUSIVE"),
    catchUpFlatSql(flat, table.name, names.parked, false),
    unwatchSql(flat, table.name),
    ...renamesSql(flat, "back"),
    rename(schema, "TABLE", table.name, names.plain),
    rename(schema, "TABLE", names.parked, table.name),
    ...ownTriggers(flat).map(
      (trigger) => `ALTER TABLE ${path} ${FIRES[trigger.enabled]} TRIGGER ${ident(trigger.name)}`,
    ),
    ...sequenceSql(flat, "back"),
    watchFunctionSql(flat, names.watch, true),
  ].join(";\n");
}

/** Triggers that would fire again where rows are written back. */
export function ownTriggers({ triggers }: Flat): readonly TriggerFact[] {
  return triggers.filter(({ enabled }) => enabled !== "disabled");
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

function rename(schema: string, kind: string, from: string, to: string): string {
  return `ALTER ${kind} ${qualified(schema, from)} RENAME TO ${ident(to)}`;
}

/** Indexes and the sequences of identity columns change names as their tables do. */
function renamesSql(
  { schema, indexes, sequences }: Flat,
  direction: "forth" | "back",
): readonly string[] {
  const all = [
    ...indexes.map(({ name }) => ["INDEX", name] as const),
    ...sequences.flatMap(({ name, ownedBy }) =>
      ownedBy?.as === "identity" ? [["SEQUENCE", name] as const] : [],
    ),
  ];
  return all.flatMap(([kind, name]) =>
    direction === "forth"
      ? [rename(schema, kind, name, parkedName(name)), rename(schema, kind, flatName(name), name)]
      : [rename(schema, kind, name, flatName(name)), rename(schema, kind, parkedName(name), name)],
  );
}

/** Called while each table has its first name; the numbers go on where they were. */
function sequenceSql(
  { schema, table, names, sequences }: Flat,
  direction: "forth" | "back",
): readonly string[] {
  return sequences.flatMap(({ name, ownedBy }) => {
    if (ownedBy === null) return [];
    if (ownedBy.as === "serial")
      return [
        `ALTER SEQUENCE ${qualified(schema, name)} OWNED BY ${qualified(schema, direction === "forth" ? names.plain : table.name)}.${ident(ownedBy.column)}`,
      ];
    const [from, to] = direction === "forth" ? [name, flatName(name)] : [flatName(name), name];
    return [
      `SELECT pg_catalog.setval(${literal(qualified(schema, to))}::regclass, s.last_value, s.is_called) FROM ${qualified(schema, from)} AS s`,
    ];
  });
}

function grantsSql({ schema, table, grants }: Flat): readonly string[] {
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

/** Leaves that came later have their keys logged now; a leaf that left since would take rows along that are copied by now. */
function lateLeavesSql({ schema, table, names, key, leaves }: Flat): string {
  const keys = key.map(({ name }) => ident(name)).join(", ");
  const known = leaves.map(({ name }) => literal(name)).join(", ");
  return `DO ${literal(`
DECLARE
  v_left text;
  v_late regclass;
  v_leaves oid[];
BEGIN
  WITH RECURSIVE tree (oid) AS (
    SELECT ${literal(qualified(schema, table.name))}::regclass::oid
    UNION ALL
    SELECT i.inhrelid FROM tree AS t JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.oid
  )
  SELECT pg_catalog.array_agg(c.oid) INTO v_leaves FROM tree AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.oid WHERE c.relkind <> 'p';
  SELECT n INTO v_left FROM pg_catalog.unnest(ARRAY[${known}]::text[]) AS n
  WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid = ANY (v_leaves) AND c.relname = n) LIMIT 1;
  IF v_left IS NOT NULL THEN
    RAISE EXCEPTION '% is no partition any more, and its rows are copied', v_left
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Undo this run, and plan it again; maintain takes partitions out only where none is being undone.';
  END IF;
  FOR v_late IN
    SELECT c.oid FROM pg_catalog.pg_class AS c WHERE c.oid = ANY (v_leaves) AND NOT c.relname = ANY (ARRAY[${known}]::text[])
  LOOP
    EXECUTE pg_catalog.format(${literal(`INSERT INTO ${qualified(schema, names.log).replaceAll("%", "%%")} SELECT ${keys.replaceAll("%", "%%")} FROM ONLY %s`)}, v_late);
  END LOOP;
END`)}`;
}
