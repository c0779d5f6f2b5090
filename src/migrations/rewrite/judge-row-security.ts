import type { CreatePolicyStmt } from "libpg-query";
import { isUnderpinError } from "../../errors.ts";
import type { RelationName } from "../../plan/step.ts";
import { enableRls, type NewPolicy } from "../../recipes/enable-rls.ts";
import type { SqlStatement } from "../../sql/parse.ts";
import { factsAbout, isMade, nameOf, relationsIn, tableOf, type Scene } from "./scene.ts";
import { insideBrackets, indexOfWords } from "./statement-text.ts";
import {
  backBy,
  gated,
  lockOn,
  online,
  pathOf,
  policyMark,
  taken,
  type Verdict,
} from "./verdict.ts";

/** ENABLE ROW LEVEL SECURITY of a table that is there, with the policies and the FORCE that follow in the script. */
export interface Protection {
  readonly table: RelationName;
  readonly policies: readonly {
    readonly statement: SqlStatement;
    readonly policy: NewPolicy;
    /** Its roles have names: CURRENT_USER is another wherever it runs. */
    readonly isForOne: boolean;
  }[];
  readonly forced: SqlStatement | undefined;
  /** What is said in one place with it, and so left out where it stands. */
  readonly taken: readonly SqlStatement[];
  readonly reads: readonly RelationName[];
}

/** What protects a table in one go, seen from its ENABLE; undefined where it is none, or the table is new. */
export function protectionOf(
  scene: Scene,
  statement: SqlStatement,
  all: readonly SqlStatement[],
): Protection | undefined {
  const table = soleCommand(scene, statement, "AT_EnableRowSecurity");
  if (table === undefined || isMade(scene, table)) return undefined;
  const path = pathOf(table);
  const policies = all.flatMap((each) => {
    if (!("CreatePolicyStmt" in each.node)) return [];
    const create = each.node.CreatePolicyStmt;
    if (pathOf(nameOf(scene, create.table)) !== path) return [];
    const isForOne = (create.roles ?? []).every(
      (node) =>
        "RoleSpec" in node &&
        ["ROLESPEC_CSTRING", "ROLESPEC_PUBLIC"].includes(node.RoleSpec.roletype ?? ""),
    );
    return [{ statement: each, policy: policyOf(each, create), create, isForOne }];
  });
  const forced = all.find((each) => {
    const other = soleCommand(scene, each, "AT_ForceRowSecurity");
    return other !== undefined && pathOf(other) === path;
  });
  return {
    table,
    policies,
    forced,
    taken: [...policies.map((each) => each.statement), ...(forced === undefined ? [] : [forced])],
    reads: policies.flatMap(({ create }) => relationsIn(scene, [create.qual, create.with_check])),
  };
}

/** Row security on, in one transaction with its policies: at no moment are rows hidden that a policy shows. */
export function judgeProtection(
  scene: Scene,
  statement: SqlStatement,
  protection: Protection,
  id: string,
): Verdict {
  const { table, policies, forced, reads } = protection;
  const path = pathOf(table);
  const change = { id, sql: statement.text };
  const locks = [lockOn(table, "accessExclusive")];
  const about = {
    locks,
    undo: backBy(`ALTER TABLE ${path} DISABLE ROW LEVEL SECURITY`, locks),
  };
  const question = `Is every row of ${path} to be hidden from everybody but its owner? No policy shows one.`;
  // Policies that stand before it are there by now.
  if (policies.length === 0 && scene.made.has(policyMark(path))) return taken(change, about);
  const hasPolicy =
    policies.length > 0 ||
    scene.facts?.policies.some(
      (each) => each.schema === table.schema && each.table === table.name,
    ) === true;
  if (!hasPolicy && !scene.allowed.has("no-policy"))
    return gated(change, { rule: "no-policy", object: path }, question, about);
  if (policies.some(({ isForOne }) => !isForOne))
    return gated(
      change,
      {
        rule: "no-policy",
        object: path,
        note: "a policy for CURRENT_USER is for whoever runs the migration: name the role",
      },
      question,
      about,
    );
  try {
    const isOn = tableOf(scene, table)?.rowSecurity === true;
    if (isOn && policies.length === 0) return { hazards: [], parts: [] };
    const plan = enableRls({
      facts: factsAbout(scene, [table]),
      schema: table.schema,
      table: table.name,
      policies: policies.map(({ policy }) => policy),
      force: forced !== undefined,
      ...(reads.length === 0 ? {} : { reads }),
    });
    return online(change, [], [plan]);
  } catch (error) {
    if (!isUnderpinError(error)) throw error;
    return gated(
      change,
      { rule: "no-policy", object: path, note: `${error.message}: ${error.hint}` },
      question,
      about,
    );
  }
}

/** The table of an ALTER TABLE that holds this one command. */
function soleCommand(scene: Scene, { node }: SqlStatement, subtype: string) {
  if (!("AlterTableStmt" in node)) return undefined;
  const { cmds, relation, objtype } = node.AlterTableStmt;
  const [first, ...others] = cmds ?? [];
  if (objtype !== "OBJECT_TABLE" || first === undefined || others.length > 0) return undefined;
  if (!("AlterTableCmd" in first) || first.AlterTableCmd.subtype !== subtype) return undefined;
  return nameOf(scene, relation);
}

const COMMANDS = ["all", "select", "insert", "update", "delete"] as const;

function policyOf(statement: SqlStatement, create: CreatePolicyStmt): NewPolicy {
  const {
    policy_name: name = "",
    cmd_name: command,
    permissive,
    roles,
    qual,
    with_check: check,
  } = create;
  const tokens = statement.tokens();
  const inside = (...words: readonly string[]) =>
    insideBrackets(statement.text, tokens, tokens[indexOfWords(tokens, words)]?.start)?.text ?? "";
  const [first = "public", ...others] = (roles ?? []).map((node) =>
    "RoleSpec" in node ? (node.RoleSpec.rolename ?? "public") : "public",
  );
  return {
    name,
    command: COMMANDS.find((each) => each === command) ?? "all",
    roles: [first, ...others],
    ...(permissive === true ? {} : { restrictive: true }),
    ...(qual === undefined ? {} : { using: inside("USING") }),
    ...(check === undefined ? {} : { check: inside("WITH", "CHECK") }),
  };
}
