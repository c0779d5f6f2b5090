// Long because: one table of the commands of ALTER TABLE, with the lock and the way back of each.
import type { AlterTableCmd, AlterTableStmt, PartitionCmd } from "libpg-query";
import { isUnderpinError } from "../../errors.ts";
import type { LockMode } from "../../plan/lock.ts";
import type { Lock, RelationName, Undo } from "../../plan/step.ts";
import { changeColumnType } from "../../recipes/change-column-type.ts";
import { dropColumn } from "../../recipes/drop-column.ts";
import type { SqlStatement } from "../../sql/parse.ts";
import { ident } from "../../sql/quote.ts";
import { constraintsOf, judgeAddColumn } from "./judge-add-column.ts";
import { judgeConstraint, judgeSetNotNull } from "./judge-constraint.ts";
import { judgeDropConstraint, judgeDropNotNull } from "./judge-drop-constraint.ts";
import { judgeAttach, judgeDetach } from "./judge-partition.ts";
import { columnOf, factsAbout, isCalm, isMade, nameOf, tableOf, type Scene } from "./scene.ts";
import { afterName, indexOfWords, partOf, partsFrom, type Part } from "./statement-text.ts";
import {
  backBy,
  gated,
  lockOn,
  never,
  online,
  pathOf,
  policyMark,
  refused,
  taken,
  type Change,
  type Hazard,
  type Taken,
  type Verdict,
} from "./verdict.ts";

/** One command of an ALTER TABLE, with its words. */
interface Command {
  readonly table: RelationName;
  readonly cmd: AlterTableCmd;
  readonly part: Part;
  readonly statement: SqlStatement;
  readonly change: Change;
}

/** ALTER TABLE, command by command, in the order in which PostgreSQL would run them. */
export function judgeAlterTable(
  scene: Scene,
  statement: SqlStatement,
  alter: AlterTableStmt,
  id: string,
): readonly Verdict[] {
  const table = nameOf(scene, alter.relation);
  const cmds = (alter.cmds ?? []).flatMap((node) =>
    "AlterTableCmd" in node ? [node.AlterTableCmd] : [],
  );
  const tokens = statement.tokens();
  const after = afterName(tokens, statement.at(alter.relation?.location ?? 0));
  const parts = partsFrom(statement, tokens[after]?.start ?? statement.text.length);
  if (parts.length !== cmds.length)
    return [refused({ rule: "not-understood", object: pathOf(table) })];
  if (alter.objtype !== "OBJECT_TABLE")
    return [otherObject(scene, alter, table, { id, sql: statement.text })];
  const only = alter.relation?.inh === true ? "" : "ONLY ";
  const exists = alter.missing_ok === true ? "IF EXISTS " : "";
  const commands = cmds.map(
    (cmd, at): Command => ({
      table,
      cmd,
      part: parts[at] ?? { start: 0, end: 0, text: "", tokens: [] },
      statement,
      change: {
        id: cmds.length === 1 ? id : `${id}-${at + 1}`,
        sql: `ALTER TABLE ${exists}${only}${pathOf(table)} ${parts[at]?.text ?? ""}`,
      },
    }),
  );
  let known = scene;
  return commands
    .toSorted((a, b) => passOf(a.cmd) - passOf(b.cmd))
    .flatMap((command) => {
      const verdicts = judgeCommand(known, command);
      known = withNewColumn(known, command);
      return verdicts;
    });
}

/** PostgreSQL drops first, then changes types, adds columns, and all else after that. */
function passOf({ subtype }: AlterTableCmd): number {
  switch (subtype) {
    case "AT_DropColumn":
    case "AT_DropConstraint":
      return 0;
    case "AT_AlterColumnType":
      return 1;
    case "AT_AddColumn":
      return 2;
    default:
      return 3;
  }
}

/** What follows in the same statement may be about a column that it has just added. */
export function withNewColumn(scene: Scene, { table, cmd }: Pick<Command, "table" | "cmd">): Scene {
  const { def } = cmd;
  if (cmd.subtype !== "AT_AddColumn" || def === undefined || !("ColumnDef" in def)) return scene;
  const notNull = constraintsOf(def.ColumnDef).some(({ contype }) => contype === "CONSTR_NOTNULL");
  const column = {
    ...NEW_COLUMN,
    schema: table.schema,
    table: table.name,
    name: def.ColumnDef.colname ?? "",
    notNull,
  };
  return { ...scene, columns: [...scene.columns, column] };
}

const NEW_COLUMN = {
  number: 0,
  position: 0,
  type: "text",
  default: null,
  generated: null,
  identity: null,
  collation: null,
  storage: "plain",
  compression: null,
  statisticsTarget: null,
  options: [],
  local: true,
  inheritCount: 0,
  comment: null,
} as const;

function judgeCommand(scene: Scene, command: Command): readonly Verdict[] {
  const { table, cmd, part, statement, change } = command;
  const { def } = cmd;
  const name = cmd.name ?? "";
  const path = pathOf(table);
  switch (cmd.subtype) {
    case "AT_AddColumn":
      if (def === undefined || !("ColumnDef" in def)) return [notUnderstood(command)];
      return judgeAddColumn(
        scene,
        { table, definition: def.ColumnDef, missingOk: cmd.missing_ok === true, part, statement },
        change,
      );
    case "AT_AddConstraint": {
      if (def === undefined || !("Constraint" in def)) return [notUnderstood(command)];
      const start = statement.at(def.Constraint.location ?? 0);
      const tokens = part.tokens.filter((token) => token.start >= start);
      const { text } = partOf(statement.text, tokens);
      return [
        judgeConstraint(
          scene,
          { table, constraint: def.Constraint, text, whole: statement.text, tokens },
          change,
        ),
      ];
    }
    case "AT_SetNotNull":
      return [judgeSetNotNull(scene, table, name, change)];
    case "AT_DropNotNull":
      return [judgeDropNotNull(scene, table, name, change)];
    case "AT_DropColumn":
      return [judgeDropColumn(scene, command)];
    case "AT_DropConstraint":
      return judgeDropConstraint(scene, table, cmd, change);
    case "AT_AlterColumnType":
      return [judgeType(scene, command)];
    case "AT_AttachPartition":
      return [judgeAttach(scene, table, partitionOf(def), change)];
    case "AT_DetachPartition":
      return [judgeDetach(scene, table, partitionOf(def), change)];
    case "AT_DisableRowSecurity":
      return [refused({ rule: "disable-row-security", object: path })];
    case "AT_EnableRowSecurity":
      return [enabling(scene, command)];
    case "AT_NoForceRowSecurity":
      return [
        gated(
          change,
          { rule: "no-force-row-security", object: path },
          `Is it meant that the owner of ${path} goes past its policies?`,
          asItIs(command, backBy(`ALTER TABLE ${path} FORCE ROW LEVEL SECURITY`, exclusive(table))),
        ),
      ];
    case "AT_SetLogged":
    case "AT_SetUnLogged":
    case "AT_SetTableSpace":
    case "AT_SetAccessMethod":
    case "AT_SetExpression":
      return [rewriting(scene, command)];
    default:
      return [brief(scene, command)];
  }
}

function partitionOf(def: AlterTableCmd["def"]): PartitionCmd {
  return def !== undefined && "PartitionCmd" in def ? def.PartitionCmd : {};
}

function judgeDropColumn(scene: Scene, command: Command): Verdict {
  const { table, cmd, change } = command;
  const column = cmd.name ?? "";
  const path = `${pathOf(table)}.${ident(column)}`;
  const asIs = asItIs(command, never(`the values of ${column} are gone`));
  if (isMade(scene, table) || scene.made.has(path) || scene.allowed.has("drop-column"))
    return taken(change, asIs);
  const lock = { ...table, mode: "accessExclusive" } as const;
  const question = `Is every version of every application that reads or writes ${path} gone? Its values are destroyed.`;
  if (cmd.behavior === "DROP_CASCADE")
    return gated(change, { rule: "drop-cascade", object: path, lock }, question, asIs);
  const hazard: Hazard = { rule: "drop-column", object: path, lock };
  if (scene.facts === undefined)
    return gated(change, { ...hazard, note: "with facts underpin parks it first" }, question, asIs);
  try {
    return online(
      change,
      [hazard],
      [
        dropColumn({
          facts: factsAbout(scene, [table]),
          schema: table.schema,
          table: table.name,
          column,
        }),
      ],
    );
  } catch (error) {
    if (!isUnderpinError(error)) throw error;
    return gated(change, { ...hazard, note: `${error.message}: ${error.hint}` }, question, asIs);
  }
}

function judgeType(scene: Scene, command: Command): Verdict {
  const { table, cmd, change, part, statement } = command;
  const column = cmd.name ?? "";
  const path = `${pathOf(table)}.${ident(column)}`;
  const { type, using } = typeTexts(part, statement);
  const before = columnOf(scene, table, column)?.type;
  const alter = `ALTER TABLE ${pathOf(table)} ALTER COLUMN ${ident(column)} TYPE`;
  const asIs = asItIs(
    command,
    before === undefined
      ? never(`the type of ${column} before is not known: hand over facts`)
      : backBy(`${alter} ${before} USING ${ident(column)}::${before}`, exclusive(table)),
  );
  if (isCalm(scene, table, "change-type")) return taken(change, asIs);
  const hazard: Hazard = {
    rule: "change-type",
    object: path,
    lock: { ...table, mode: "accessExclusive" },
  };
  const question = `Can ${pathOf(table)} be out of use until it is written anew with ${ident(column)} as ${type}?`;
  if (scene.facts === undefined)
    return gated(
      change,
      { ...hazard, note: "with facts underpin changes it by a twin column" },
      question,
      asIs,
    );
  try {
    const plan = changeColumnType({
      facts: factsAbout(scene, [table]),
      schema: table.schema,
      table: table.name,
      column,
      type,
      ...(using === undefined ? {} : { using }),
    });
    const isInstant = !plan.steps.some(({ kind }) => kind === "backfill");
    return online(change, isInstant ? [] : [hazard], [plan]);
  } catch (error) {
    if (!isUnderpinError(error)) throw error;
    return gated(change, { ...hazard, note: `${error.message}: ${error.hint}` }, question, asIs);
  }
}

/** `[SET DATA] TYPE type [COLLATE c] [USING expression]` */
function typeTexts({ tokens }: Part, { text }: SqlStatement) {
  const type = indexOfWords(tokens, ["TYPE"]);
  const using = indexOfWords(tokens, ["USING"]);
  return {
    type: partOf(text, tokens.slice(type + 1, using === -1 ? undefined : using)).text,
    using: using === -1 ? undefined : partOf(text, tokens.slice(using + 1)).text,
  };
}

function rewriting(scene: Scene, command: Command): Verdict {
  const { table, change } = command;
  const path = pathOf(table);
  const asIs = asItIs(command, never("what it was before is not known"));
  if (isCalm(scene, table, "rewrite-table")) return taken(change, asIs);
  return gated(
    change,
    { rule: "rewrite-table", object: path, lock: { ...table, mode: "accessExclusive" } },
    `Can ${path} be out of use while it is written anew?`,
    asIs,
  );
}

/** Beside other commands; alone it is put together with its policies. */
function enabling(scene: Scene, command: Command): Verdict {
  const { table, change } = command;
  const path = pathOf(table);
  const hasPolicy =
    isMade(scene, table) ||
    scene.made.has(policyMark(path)) ||
    scene.allowed.has("no-policy") ||
    scene.facts?.policies.some(
      (each) => each.schema === table.schema && each.table === table.name,
    ) === true;
  if (hasPolicy) return brief(scene, command);
  return gated(
    change,
    {
      rule: "no-policy",
      object: path,
      note: "write ENABLE as a statement of its own, and underpin puts it together with its policies",
    },
    `Is every row of ${path} to be hidden from everybody but its owner, until policies follow?`,
    asItIs(command, backBy(`ALTER TABLE ${path} DISABLE ROW LEVEL SECURITY`, exclusive(table))),
  );
}

/** Commands that change the catalog only, for a moment: each with its lock. Another is not understood. */
const BRIEF: Readonly<Record<string, LockMode>> = {
  AT_ColumnDefault: "accessExclusive",
  AT_CookedColumnDefault: "accessExclusive",
  AT_AddIdentity: "accessExclusive",
  AT_SetIdentity: "accessExclusive",
  AT_DropIdentity: "accessExclusive",
  AT_DropExpression: "accessExclusive",
  AT_SetStatistics: "shareUpdateExclusive",
  AT_SetOptions: "shareUpdateExclusive",
  AT_ResetOptions: "shareUpdateExclusive",
  AT_SetStorage: "accessExclusive",
  AT_SetCompression: "accessExclusive",
  AT_AlterConstraint: "accessExclusive",
  AT_ValidateConstraint: "shareUpdateExclusive",
  AT_ChangeOwner: "accessExclusive",
  AT_ClusterOn: "shareUpdateExclusive",
  AT_DropCluster: "shareUpdateExclusive",
  AT_SetRelOptions: "shareUpdateExclusive",
  AT_ResetRelOptions: "shareUpdateExclusive",
  AT_ReplicaIdentity: "accessExclusive",
  AT_EnableTrig: "shareRowExclusive",
  AT_EnableAlwaysTrig: "shareRowExclusive",
  AT_EnableReplicaTrig: "shareRowExclusive",
  AT_DisableTrig: "shareRowExclusive",
  AT_EnableTrigAll: "shareRowExclusive",
  AT_DisableTrigAll: "shareRowExclusive",
  AT_EnableTrigUser: "shareRowExclusive",
  AT_DisableTrigUser: "shareRowExclusive",
  AT_EnableRule: "accessExclusive",
  AT_EnableAlwaysRule: "accessExclusive",
  AT_EnableReplicaRule: "accessExclusive",
  AT_DisableRule: "accessExclusive",
  AT_AddInherit: "accessExclusive",
  AT_DropInherit: "accessExclusive",
  AT_AddOf: "accessExclusive",
  AT_DropOf: "accessExclusive",
  AT_EnableRowSecurity: "accessExclusive",
  AT_ForceRowSecurity: "accessExclusive",
  AT_DetachPartitionFinalize: "accessExclusive",
};

function brief(scene: Scene, command: Command): Verdict {
  const { table, cmd, change } = command;
  const mode = BRIEF[cmd.subtype ?? ""];
  if (mode === undefined) return notUnderstood(command);
  const locks: readonly Lock[] = [lockOn(table, mode)];
  if (cmd.subtype === "AT_ValidateConstraint") return validate(scene, command);
  return taken(change, {
    locks,
    ...(cmd.subtype === "AT_AddIdentity" ? { creates: 1 } : {}),
    undo: undoOf(scene, command, locks),
  });
}

/** VALIDATE reads rows, and of a foreign key those of both ends: alone in its transaction, so that no strong lock is held. */
function validate(scene: Scene, { table, cmd, change }: Command): Verdict {
  const fact = scene.facts?.constraints.find(
    (each) => each.schema === table.schema && each.table === table.name && each.name === cmd.name,
  );
  const other = fact?.references ?? null;
  return taken(change, {
    locks: [
      lockOn(table, "shareUpdateExclusive"),
      ...(other === null ? [] : [lockOn(table, "accessShare"), lockOn(other, "rowShare")]),
    ],
    rows: [
      { ...table, access: "read" },
      ...(other === null
        ? []
        : [{ schema: other.schema, name: other.name, access: "read" } as const]),
    ],
    undo: { kind: "nothing" },
  });
}

function undoOf(scene: Scene, { table, cmd }: Command, locks: readonly Lock[]): Undo {
  if (isMade(scene, table)) return { kind: "nothing" };
  const path = pathOf(table);
  const column = ident(cmd.name ?? "");
  const back = (sql: string) => backBy(`ALTER TABLE ${path} ${sql}`, locks);
  const fact = columnOf(scene, table, cmd.name ?? "");
  const is = tableOf(scene, table);
  const unknown = never("what it was before is not known: hand over facts");
  switch (cmd.subtype) {
    case "AT_ColumnDefault":
      if (fact === undefined) return unknown;
      return back(
        fact.default === null
          ? `ALTER COLUMN ${column} DROP DEFAULT`
          : `ALTER COLUMN ${column} SET DEFAULT ${fact.default}`,
      );
    case "AT_AddIdentity":
      return backBy(`ALTER TABLE ${path} ALTER COLUMN ${column} DROP IDENTITY`, [
        ...locks,
        lockOn(
          { schema: table.schema, name: `${table.name}_${cmd.name ?? ""}_seq` },
          "accessExclusive",
        ),
      ]);
    case "AT_SetStatistics":
      if (fact === undefined) return unknown;
      return back(`ALTER COLUMN ${column} SET STATISTICS ${fact.statisticsTarget ?? -1}`);
    case "AT_SetStorage":
      if (fact === undefined) return unknown;
      return back(`ALTER COLUMN ${column} SET STORAGE ${fact.storage.toUpperCase()}`);
    case "AT_ChangeOwner":
      return is === undefined ? unknown : back(`OWNER TO ${ident(is.owner)}`);
    case "AT_EnableRowSecurity":
      if (is?.rowSecurity === true) return { kind: "nothing" };
      return back("DISABLE ROW LEVEL SECURITY");
    case "AT_ForceRowSecurity":
      if (is?.forceRowSecurity === true) return { kind: "nothing" };
      return back("NO FORCE ROW LEVEL SECURITY");
    case "AT_EnableTrig":
      return back(`DISABLE TRIGGER ${column}`);
    case "AT_DisableTrig":
      return back(`ENABLE TRIGGER ${column}`);
    case "AT_DetachPartitionFinalize":
      return never("a detach that was begun can only be completed");
    default:
      return unknown;
  }
}

/** ALTER of an index, view, sequence or composite type. */
function otherObject(
  scene: Scene,
  alter: AlterTableStmt,
  object: RelationName,
  change: Change,
): Verdict {
  const path = pathOf(object);
  const undo: Undo = isMade(scene, object)
    ? { kind: "nothing" }
    : never("what it was before is not known");
  switch (alter.objtype) {
    case "OBJECT_INDEX":
      return taken(change, { locks: [{ ...object, mode: "accessExclusive" }], undo });
    case "OBJECT_VIEW":
    case "OBJECT_MATVIEW":
    case "OBJECT_SEQUENCE":
    case "OBJECT_FOREIGN_TABLE":
      return taken(change, { locks: [{ ...object, mode: "accessExclusive" }], undo });
    case "OBJECT_TYPE":
      return gated(
        change,
        { rule: "change-type", object: path, note: "columns of the composite type are read whole" },
        `Does no table hold values of ${path}, and no running version of the application know its attributes?`,
        { undo },
      );
    default:
      return refused({ rule: "not-understood", object: path });
  }
}

function exclusive(table: RelationName): readonly Lock[] {
  return [lockOn(table, "accessExclusive")];
}

function asItIs({ table }: Command, undo: Undo): Taken {
  return { locks: exclusive(table), undo };
}

function notUnderstood({ table, change }: Command): Verdict {
  return refused({ rule: "not-understood", object: pathOf(table), note: change.sql });
}
