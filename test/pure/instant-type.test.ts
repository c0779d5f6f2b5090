import { describe, expect, it } from "vitest";
import { isInstantChange } from "../../src/recipes/instant-type.ts";

describe("isInstantChange", () => {
  it.each([
    ["character varying(20)", "text", true],
    ["character varying(20)", "varchar(30)", true],
    ["character varying(20)", "varchar", true],
    ["text", "varchar", true],
    ["numeric(10,2)", "numeric(12,2)", true],
    ["numeric(10,2)", "numeric", true],
    ["timestamp(3) with time zone", "timestamptz", true],
    ["cidr", "inet", true],
    ["character varying(20)", "varchar(10)", false],
    ["character varying", "varchar(10)", false],
    ["text", "varchar(10)", false],
    ["numeric(10,2)", "numeric(12,3)", false],
    ["numeric", "numeric(12,3)", false],
    ["integer", "bigint", false],
    ["character(3)", "text", false],
    ["character varying(20)[]", "text", false],
    ["text", "app.text", false],
    ["timestamp without time zone", "timestamptz", false],
  ])("of %s to %s is %s", (from, to, expected) => {
    expect(isInstantChange(from, to)).toBe(expected);
  });
});
