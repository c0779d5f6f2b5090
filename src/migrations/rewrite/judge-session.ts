import type { Node, TransactionStmt, VariableSetStmt } from "libpg-query";
import { leftOut, refused, type Change, type Verdict } from "./verdict.ts";

/** Settings that each step gets from the engine, or that change nothing here: what pg_dump and others write at the head. */
const ENGINE_SETS = new Set([
  "lock_timeout",
  "statement_timeout",
  "transaction_timeout",
  "idle_in_transaction_session_timeout",
  "client_encoding",
  "client_min_messages",
  "standard_conforming_strings",
  "row_security",
  "xmloption",
  "default_table_access_method",
  "check_function_bodies",
]);

/** What changes the session or the transaction; undefined where it is none of these. */
export function judgeSession(node: Node, change: Change): Verdict | undefined {
  const object = change.sql;
  if ("TransactionStmt" in node) return judgeTransaction(node.TransactionStmt, object);
  if ("VariableSetStmt" in node) return judgeSetting(node.VariableSetStmt, object);
  if ("PrepareStmt" in node || "ExecuteStmt" in node || "DeallocateStmt" in node)
    return refused({ rule: "session-setting", object });
  if ("DiscardStmt" in node || "ListenStmt" in node || "UnlistenStmt" in node || "LoadStmt" in node)
    return refused({ rule: "session-setting", object });
  if ("DeclareCursorStmt" in node || "FetchStmt" in node || "ClosePortalStmt" in node)
    return refused({ rule: "session-setting", object });
  if ("ConstraintsSetStmt" in node) return refused({ rule: "session-setting", object });
  if ("VariableShowStmt" in node || "CheckPointStmt" in node || "ExplainStmt" in node)
    return refused({ rule: "not-understood", object });
  if ("AlterSystemStmt" in node || "CreateTableSpaceStmt" in node || "DropTableSpaceStmt" in node)
    return refused({ rule: "server-wide", object });
  if ("CreatedbStmt" in node || "AlterDatabaseStmt" in node)
    return refused({ rule: "server-wide", object });
  if ("DropdbStmt" in node) return refused({ rule: "drop-database", object });
  return undefined;
}

function judgeTransaction({ kind }: TransactionStmt, object: string): Verdict {
  switch (kind) {
    case "TRANS_STMT_BEGIN":
    case "TRANS_STMT_START":
    case "TRANS_STMT_COMMIT":
      return leftOut({ rule: "transaction-control", object });
    default:
      return refused({
        rule: "session-setting",
        object,
        note: "what is rolled back, prepared or kept by a savepoint is no step of a plan",
      });
  }
}

function judgeSetting({ name = "", kind }: VariableSetStmt, object: string): Verdict {
  if (ENGINE_SETS.has(name) && kind !== "VAR_RESET_ALL")
    return leftOut({ rule: "timeout-setting", object });
  return refused({ rule: "session-setting", object });
}
