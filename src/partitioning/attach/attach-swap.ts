import type { PublicationFact } from "../../catalog/publications.ts";
import type { TriggerFact } from "../../catalog/triggers.ts";
import { ident, literal, qualified } from "../../sql/quote.ts";
import { replacePolicySql, replaceViewSql } from "../convert/dependents-of.ts";
import { policySql } from "../policy-sql.ts";
import {
  keyBackSql,
  keyForthSql,
  ownRenames,
  rename,
  rootRenames,
  sequencesBackSql,
  sequencesForthSql,
} from "./attach-keys.ts";
import { legacyName, narrowName, rootName } from "./attach-names.ts";
import type { Attach } from "./attach-of.ts";
import { grantsSql, revokesSql } from "./attach-grants.ts";
import {
  boundHeadSql,
  boundOfSql,
  boundVariables,
  meaningSql,
  unboundSql,
} from "./attach-bound.ts";
import { noteTriggersSql, unwatchSql } from "./attach-note.ts";
import { lockSql, PRINTED } from "./attach-sql.ts";

/** Makes the table the first partition of the root, which takes its name and all that goes with it. */
export function attachSql(attach: Attach): string {
  const { schema, table, names, policies } = attach;
  const path = qualified(schema, table.name);
  const legacy = qualified(schema, names.legacy);
  return [
    PRINTED,
    lockSql(schema, [table.name, names.root], "ACCESS EXCLUSIVE"),
    readyOrNotSql(attach),
    closeBoundSql(attach),
    unwatchSql(attach, table.name),
    ...attach.triggers.map(({ name }) => `DROP TRIGGER ${ident(name)} ON ${path}`),
    ...policies.map(({ name }) => `DROP POLICY ${ident(name)} ON ${path}`),
    ...keyForthSql(attach),
    ...sequencesForthSql(attach),
    rename(schema, "TABLE", table.name, names.legacy),
    ...ownRenames(attach).map(([from, to]) => rename(schema, "INDEX", from, to)),
    rename(schema, "TABLE", names.root, table.name),
    ...rootRenames(attach).map(([kind, name]) => rename(schema, kind, rootName(name), name)),
    attachPartitionSql(attach),
    unboundSql(attach, names.legacy),
    ...attach.triggers.flatMap((trigger) => triggerSql(trigger, path)),
    ...truncateSql(attach, "forth"),
    ...policies.flatMap((policy) => [
      policySql(policy, path),
      ...comment(`POLICY ${ident(policy.name)} ON ${path}`, policy.comment),
    ]),
    securitySql(path, table.rowSecurity, table.forceRowSecurity),
    ...(table.rowSecurity ? [securitySql(legacy, true, true)] : []),
    ...grantsSql(path, table.owner, attach.grants),
    ...revokesSql(legacy, table.owner, attach.grants),
    ...comment(`TABLE ${path}`, table.comment),
    `COMMENT ON TABLE ${legacy} IS ${literal(legacyMark(attach))}`,
    ...commentsSql(attach),
    ...publishedSql(attach, table.name, names.legacy),
    ...dependentsSql(attach),
  ].join(";\n");
}

/** Gives the name back to the plain table, with all rows that went elsewhere meanwhile. */
export function detachSql(attach: Attach): string {
  const { schema, table, names, policies, writable } = attach;
  const path = qualified(schema, table.name);
  const legacy = qualified(schema, names.legacy);
  const root = qualified(schema, names.root);
  const list = writable.map(ident).join(", ");
  return [
    PRINTED,
    lockSql(schema, [table.name, names.legacy], "ACCESS EXCLUSIVE"),
    `ALTER TABLE ${path} DETACH PARTITION ${legacy}`,
    ...truncateSql(attach, "back"),
    securitySql(legacy, false, false),
    `INSERT INTO ${legacy} (${list}) OVERRIDING SYSTEM VALUE SELECT ${list} FROM ${path}`,
    ...revokesSql(path, table.owner, attach.grants),
    rename(schema, "TABLE", table.name, names.root),
    ...rootRenames(attach).map(([kind, name]) => rename(schema, kind, name, rootName(name))),
    rename(schema, "TABLE", names.legacy, table.name),
    ...ownRenames(attach).map(([from, to]) => rename(schema, "INDEX", to, from)),
    ...keyBackSql(attach),
    ...sequencesBackSql(attach),
    ...attach.triggers.flatMap((trigger) => triggerSql(trigger, path)),
    ...policies.flatMap((policy) => [
      policySql(policy, path),
      ...comment(`POLICY ${ident(policy.name)} ON ${path}`, policy.comment),
    ]),
    securitySql(path, table.rowSecurity, table.forceRowSecurity),
    ...grantsSql(
      path,
      table.owner,
      attach.grants.filter(({ grantee }) => grantee !== table.owner),
    ),
    `COMMENT ON TABLE ${path} IS ${table.comment === null ? "NULL" : literal(table.comment)}`,
    ...commentsSql(attach),
    ...publishedSql(attach, table.name, names.root),
    ...dependentsSql(attach),
    noteTriggersSql(attach),
    // Nobody reaches it any more; it is dropped with what is below it.
    securitySql(root, true, true),
  ].join(";\n");
}

/** Views, and policies of other tables, are said again where the names mean what has them now. */
function dependentsSql({ views, lookers }: Attach): readonly string[] {
  return [...views.map(replaceViewSql), ...lookers.map(replacePolicySql)];
}

/** What the comment of the partition says: by it maintenance and findings know it. */
export function legacyMark({ schema, table }: Attach): string {
  return `underpin: the rows that ${qualified(schema, table.name)} had before it was partitioned`;
}

/** What a step before this made, and an undo that was stopped half way took along. */
function readyOrNotSql(attach: Attach): string {
  const { schema, table, names, keepsKey, primary, narrow } = attach;
  const path = literal(qualified(schema, table.name));
  const indexes = [
    ...(keepsKey ? [] : [legacyName(primary.name), narrowName(primary.name)]),
    ...narrow.map(({ index }) => legacyName(index.name)),
  ];
  const missing = [
    `NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = ${path}::regclass AND k.conname = ${literal(names.bound)} AND k.convalidated)`,
    `(SELECT pg_catalog.count(*) FROM pg_catalog.pg_trigger AS t WHERE t.tgrelid = ${path}::regclass AND t.tgenabled = 'A' AND t.tgname IN (${literal(names.trigger)}, ${literal(`${names.trigger}_changed`)})) < 2`,
    `EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = ${literal(qualified(schema, names.root))}::regclass)`,
    ...indexes.map(
      (name) =>
        `NOT EXISTS (SELECT FROM pg_catalog.pg_index AS i WHERE i.indexrelid = pg_catalog.to_regclass(${literal(qualified(schema, name))}) AND i.indrelid = ${path}::regclass AND i.indisvalid)`,
    ),
  ];
  return `DO ${literal(`
BEGIN
  IF ${missing.join("\n    OR ")} THEN
    RAISE EXCEPTION 'what was made ready for this is not there any more'
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Undo the whole run, and apply it again.';
  END IF;
END`)}`;
}

/**
 * From here on the CHECK means the noted values, and all rows keep it: each was read, or noted when it came. So ATTACH looks at no row.
 *
 * A CHECK that refused new values while it was validated would have refused an application's rows for as long.
 */
function closeBoundSql(attach: Attach): string {
  return `DO ${literal(`
DECLARE
${boundVariables(attach)}
  v_means text;
BEGIN
${boundOfSql(attach)}
${meaningSql(attach)}
  EXECUTE ${literal(`${boundHeadSql(attach)} RETURN `)} || v_means;
END`)}`;
}

function attachPartitionSql(attach: Attach): string {
  const { schema, table, names } = attach;
  const head = `ALTER TABLE ${qualified(schema, table.name)} ATTACH PARTITION ${qualified(schema, names.legacy)} `;
  return `DO ${literal(`
DECLARE
${boundVariables(attach)}
BEGIN
${boundOfSql(attach)}
  EXECUTE ${literal(head)} || v_bound;
END`)}`;
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

/** A trigger of statements is not cloned, and TRUNCATE of a partition by its name would pass that of the root. */
function truncateSql(
  { schema, names, triggers }: Attach,
  way: "forth" | "back",
): readonly string[] {
  const legacy = qualified(schema, names.legacy);
  return triggers.flatMap(({ name, events, level, timing, definition, function: call }) => {
    if (level !== "statement" || events.join() !== "truncate" || !definition.endsWith("()"))
      return [];
    return [
      way === "forth"
        ? `CREATE TRIGGER ${ident(name)} ${timing.toUpperCase()} TRUNCATE ON ${legacy} FOR EACH STATEMENT EXECUTE FUNCTION ${qualified(call.schema, call.name)}()`
        : `DROP TRIGGER ${ident(name)} ON ${legacy}`,
    ];
  });
}

/** Of indexes and constraints that have been made anew by then. */
function commentsSql({ schema, table, indexes, comments }: Attach): readonly string[] {
  const path = qualified(schema, table.name);
  return [
    ...indexes.flatMap((index) => comment(`INDEX ${qualified(schema, index.name)}`, index.comment)),
    ...comments.flatMap(({ name, comment: text }) =>
      comment(`CONSTRAINT ${ident(name)} ON ${path}`, text),
    ),
  ];
}

function securitySql(path: string, enabled: boolean, forced: boolean): string {
  return `ALTER TABLE ${path} ${enabled ? "ENABLE" : "DISABLE"} ROW LEVEL SECURITY, ${forced ? "FORCE" : "NO FORCE"} ROW LEVEL SECURITY`;
}

function comment(on: string, text: string | null): readonly string[] {
  return text === null ? [] : [`COMMENT ON ${on} IS ${literal(text)}`];
}

/** A publication names the table that has the name by then, and the other no more. */
function publishedSql(
  { schema, publications }: Attach,
  table: string,
  other: string,
): readonly string[] {
  return publications.flatMap((publication: PublicationFact) => {
    const own = publication.tables.find((each) => each.schema === schema && each.name === table);
    if (own === undefined) return [];
    const columns = own.columns === null ? "" : ` (${own.columns.map(ident).join(", ")})`;
    const where = own.where === null ? "" : ` WHERE (${own.where})`;
    return [
      `ALTER PUBLICATION ${ident(publication.name)} DROP TABLE ONLY ${qualified(schema, other)}`,
      `ALTER PUBLICATION ${ident(publication.name)} ADD TABLE ONLY ${qualified(schema, table)}${columns}${where}`,
    ];
  });
}
