import type { ReferentialAction } from "../../catalog/constraints.ts";

/** The referential actions as SQL. */
export const ACTIONS: Readonly<Record<ReferentialAction, string>> = {
  noAction: "NO ACTION",
  restrict: "RESTRICT",
  cascade: "CASCADE",
  setNull: "SET NULL",
  setDefault: "SET DEFAULT",
};
