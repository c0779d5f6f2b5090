import type { DoStmt } from "libpg-query";
import { loadParser, parseScript, type SqlStatement } from "../../sql/parse.ts";
import { judge } from "./judge.ts";
import { walkNodes, type Scene } from "./scene.ts";
import { gated, never, taken, titleOf, type Change, type Hazard, type Verdict } from "./verdict.ts";

/** The statements in the body of a DO block, and whether there are some that are made as text only. */
interface Body {
  readonly statements: readonly SqlStatement[];
  readonly isDynamic: boolean;
  /** False where it is no PL/pgSQL, or cannot be read. */
  readonly isRead: boolean;
}

/** DO: what its body does is judged statement by statement, and the block taken as it is or put behind a question. */
export async function judgeDo(scene: Scene, statement: SqlStatement, id: string): Promise<Verdict> {
  const change: Change = { id, sql: statement.text };
  const body = await bodyOf(statement);
  const inner = body.statements.flatMap((each) => judge(scene, each, id));
  const hazards: Hazard[] = [
    ...inner
      .flatMap((verdict) => verdict.hazards)
      .map((hazard) => ({
        ...hazard,
        note: joined(hazard.note, "inside DO it cannot be made online: write it out"),
      })),
    ...(body.isDynamic || !body.isRead
      ? [{ rule: "dynamic-sql", object: titleOf(statement.text) } as const]
      : []),
  ].filter(({ rule }) => !scene.allowed.has(rule));
  const locks = inner.flatMap(({ parts }) =>
    parts.flatMap((part) => ("locks" in part ? part.locks : [])),
  );
  const rows = inner.flatMap(({ parts }) =>
    parts.flatMap((part) => ("rows" in part ? (part.rows ?? []) : [])),
  );
  const about = {
    locks,
    ...(rows.length === 0 ? {} : { rows }),
    undo: never("what a DO block does is written nowhere: write its way back into the rollback"),
  };
  const [first, ...others] = hazards;
  if (first === undefined) return taken(change, about);
  return gated(
    change,
    first,
    `Is it known what this block does, and what it locks? ${titleOf(statement.text)}`,
    { ...about, hazards: others },
  );
}

function joined(a: string | undefined, b: string): string {
  return a === undefined ? b : `${a}; ${b}`;
}

async function bodyOf({ node, text }: SqlStatement): Promise<Body> {
  const language = argument(node as { readonly DoStmt: DoStmt }, "language") ?? "plpgsql";
  const unread: Body = { statements: [], isDynamic: false, isRead: false };
  if (language.toLowerCase() !== "plpgsql") return unread;
  const parser = await loadParser();
  try {
    const parsed: unknown = parser.parsePlPgSQLSync(text);
    const queries: string[] = [];
    let isDynamic = false;
    walkNodes(parsed, (key, value) => {
      if (/^PLpgSQL_stmt_dyn|^PLpgSQL_stmt_call$/.test(key)) isDynamic = true;
      if (key !== "PLpgSQL_stmt_execsql" && key !== "PLpgSQL_stmt_perform") return;
      walkNodes(value, (inner, expression) => {
        const { query } = expression as { readonly query?: unknown };
        if (inner === "PLpgSQL_expr" && typeof query === "string") queries.push(query);
      });
    });
    const scripts = await Promise.all(queries.map((query) => parseScript(query)));
    return {
      statements: scripts.flatMap(({ statements }) => statements),
      isDynamic,
      isRead: scripts.every(({ problems }) => problems.length === 0),
    };
  } catch {
    return unread;
  }
}

function argument({ DoStmt: { args } }: { readonly DoStmt: DoStmt }, name: string) {
  for (const node of args ?? [])
    if ("DefElem" in node && node.DefElem.defname === name) {
      const { arg } = node.DefElem;
      if (arg !== undefined && "String" in arg) return arg.String.sval;
    }
  return undefined;
}
