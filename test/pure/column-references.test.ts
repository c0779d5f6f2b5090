import { describe, expect, it } from "vitest";
import { columnsIn, renameColumns } from "../../src/sql/column-references.ts";

describe("columnsIn", () => {
  it("finds names with and without quotes, and none in strings, comments and longer names", () => {
    const columns = ["id", "user_id", "Ünder", 'a"b', "state"];
    expect(columnsIn(`lower(ID) || "a""b" || 'state' -- state\n || E'\\' state'`, columns)).toEqual(
      ["id", 'a"b'],
    );
    expect(columnsIn(`"Ünder" + user_id /* id */ + $x$ id $x$`, columns)).toEqual([
      "user_id",
      "Ünder",
    ]);
  });
});

describe("renameColumns", () => {
  const rename = (text: string, from: string) => renameColumns(text, new Map([[from, "new"]]));

  it("renames columns and nothing else that is spelt so", () => {
    expect(rename("((id > 0) AND (user_id > 0))", "id")).toBe(`(("new" > 0) AND (user_id > 0))`);
    expect(rename("lower((lower)::text) = 'lower'::text", "lower")).toBe(
      `lower(("new")::text) = 'lower'::text`,
    );
    expect(rename(`("a""b" = ANY (ARRAY['a"b'::text]))`, 'a"b')).toBe(
      `("new" = ANY (ARRAY['a"b'::text]))`,
    );
    expect(rename("app.state(state) = 'x'::app.state", "state")).toBe(
      `app.state("new") = 'x'::app.state`,
    );
    expect(rename("(text)::text", "text")).toBe(`("new")::text`);
  });
});
