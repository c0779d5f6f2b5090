import { namedPath, partPath } from "../../catalog/path.ts";
import { UnderpinError } from "../../errors.ts";
import type { RelationName } from "../../plan/step.ts";
import { parseScript, type SqlStatement } from "../../sql/parse.ts";
import type { ColumnRename } from "../plan-change.ts";

/** One statement of drizzle-kit, and what is done with it. */
export type KitStatement =
  /** Left out: policies, views, schemas, roles and switches of row security are made by their objects. */
  | { readonly kind: "ours" }
  /** Makes an object of the definition, if that is new. */
  | {
      readonly kind: "makes";
      readonly id: string;
      readonly text: string;
      readonly isQualified: boolean;
    }
  | { readonly kind: "dropsColumn"; readonly table: RelationName; readonly column: string }
  | { readonly kind: "dropsTable" }
  | { readonly kind: "renames"; readonly text: string; readonly rename: ColumnRename }
  | { readonly kind: "other"; readonly text: string };

/** Reads what drizzle-kit wrote, with PostgreSQL's own parser. */
export async function readKitStatements(text: string): Promise<readonly KitStatement[]> {
  const { statements, problems } = await parseScript(text);
  const [problem] = problems;
  if (problem !== undefined)
    throw new UnderpinError({
      code: "invalidInput",
      message: `what drizzle-kit wrote is no SQL: ${problem.message} near ${JSON.stringify(text.slice(problem.start, problem.start + 60))}`,
      hint: "Look at the value in the schema that stands there; drizzle-kit 0.31 does not double a quote in a name, so that a name with one cannot go through it.",
    });
  return statements.map(classified);
}

/** The parts of the parser's nodes that are looked at. */
interface Parts {
  readonly relation?: Named;
  readonly sequence?: Named;
  readonly typeName?: readonly Word[];
  readonly idxname?: string;
  readonly removeType?: string;
  readonly renameType?: string;
  readonly subname?: string;
  readonly newname?: string;
  readonly cmds?: readonly {
    readonly AlterTableCmd?: {
      readonly subtype?: string;
      readonly name?: string;
      readonly def?: {
        readonly Constraint?: { readonly contype?: string; readonly conname?: string };
      };
    };
  }[];
}

interface Named {
  readonly schemaname?: string;
  readonly relname?: string;
}

interface Word {
  readonly String?: { readonly sval?: string };
}

const OURS: ReadonlySet<string> = new Set([
  "CreateSchemaStmt",
  "CreateRoleStmt",
  "AlterRoleStmt",
  "DropRoleStmt",
  "CreatePolicyStmt",
  "AlterPolicyStmt",
  "ViewStmt",
  "CreateTableAsStmt",
  "AlterObjectSchemaStmt",
]);

const OUR_DROPS: ReadonlySet<string> = new Set([
  "OBJECT_POLICY",
  "OBJECT_VIEW",
  "OBJECT_MATVIEW",
  "OBJECT_SCHEMA",
  "OBJECT_TYPE",
  "OBJECT_SEQUENCE",
]);

function classified({ kind, node, text }: SqlStatement): KitStatement {
  const parts = ((node as Readonly<Record<string, unknown>>)[kind] ?? {}) as Parts;
  if (OURS.has(kind)) return { kind: "ours" };
  const made = madeBy(kind, parts);
  if (JSON.stringify(node).includes('"ParamRef"')) {
    // Of what the definition makes there is a text without parameters.
    if (made !== undefined) return { kind: "ours" };
    throw new UnderpinError({
      code: "invalidInput",
      message: `drizzle-kit wrote a parameter into DDL, which takes none (42P02): ${text.slice(0, 200)}`,
      hint: "Write the value as SQL there: sql.raw or sql`…` without ${value}.",
    });
  }
  if (made !== undefined) {
    const [name] = [parts.relation ?? parts.sequence];
    const isQualified =
      name === undefined ? (parts.typeName?.length ?? 0) > 1 : name.schemaname !== undefined;
    return { kind: "makes", id: made, text, isQualified };
  }
  if (kind === "DropStmt" && OUR_DROPS.has(parts.removeType ?? "")) return { kind: "ours" };
  if (kind === "DropStmt" && parts.removeType === "OBJECT_TABLE") return { kind: "dropsTable" };
  if (kind === "RenameStmt") return renamed(parts, text);
  // A down leaves the labels of an enum, which PostgreSQL cannot take away: the next way up finds them.
  if (kind === "AlterEnumStmt")
    return {
      kind: "other",
      text: text.replace(/ ADD VALUE (?!IF )/i, " ADD VALUE IF NOT EXISTS "),
    };
  const commands = (parts.cmds ?? []).flatMap(({ AlterTableCmd: command }) => command ?? []);
  const switches = /^AT_(?:Enable|Disable|Force|NoForce)RowSecurity$/;
  if (commands.length > 0 && commands.every(({ subtype = "" }) => switches.test(subtype)))
    return { kind: "ours" };
  const [only] = commands;
  if (commands.length === 1 && only?.subtype === "AT_DropColumn" && only.name !== undefined)
    return { kind: "dropsColumn", table: relationIn(parts.relation), column: only.name };
  return { kind: "other", text };
}

function relationIn(named: Named | undefined): RelationName {
  return { schema: named?.schemaname ?? "public", name: named?.relname ?? "" };
}

const pathIn = (kind: string, named: Named | undefined): string => {
  const { schema, name } = relationIn(named);
  return namedPath(kind, schema, name);
};

function madeBy(kind: string, parts: Parts): string | undefined {
  switch (kind) {
    case "CreateStmt":
      return pathIn("table", parts.relation);
    case "CreateSeqStmt":
      return pathIn("sequence", parts.sequence);
    case "CreateEnumStmt": {
      const words = (parts.typeName ?? []).map((word) => word.String?.sval ?? "");
      const [first = "", second] = words;
      return second === undefined
        ? namedPath("type", "public", first)
        : namedPath("type", first, second);
    }
    case "IndexStmt":
      return partPath("index", parts.idxname ?? "", pathIn("table", parts.relation));
    case "AlterTableStmt": {
      const [command, ...more] = parts.cmds ?? [];
      const constraint = command?.AlterTableCmd?.def?.Constraint;
      return more.length === 0 && constraint?.contype === "CONSTR_FOREIGN"
        ? partPath("constraint", constraint.conname ?? "", pathIn("table", parts.relation))
        : undefined;
    }
    default:
      return undefined;
  }
}

function renamed(
  { renameType, relation, subname = "", newname = "" }: Parts,
  text: string,
): KitStatement {
  if (renameType === "OBJECT_COLUMN") {
    const { schema, name: table } = relationIn(relation);
    return { kind: "renames", text, rename: { schema, table, from: subname, to: newname } };
  }
  if (
    renameType === "OBJECT_TABLE" ||
    renameType === "OBJECT_SCHEMA" ||
    renameType === "OBJECT_TYPE"
  )
    throw new UnderpinError({
      code: "invalidInput",
      message: `drizzle-kit renames a whole ${renameType.slice("OBJECT_".length).toLowerCase()}: ${text}`,
      hint: "Rename it with renameTable of underpin/migrations, which serves both names for a while, as a migration of its own.",
    });
  return { kind: "other", text };
}
