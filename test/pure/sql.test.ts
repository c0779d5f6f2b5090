import { describe, expect, it } from "vitest";
import { ident, literal, qualified } from "../../src/sql/quote.ts";
import { shorten } from "../../src/sql/shorten.ts";

describe("quoting", () => {
  it("doubles the quotes inside an identifier", () => {
    expect(ident('we"ird Schema')).toBe('"we""ird Schema"');
  });

  it("qualifies with the schema always", () => {
    expect(qualified("app", 'ta"ble')).toBe('"app"."ta""ble"');
  });

  it("doubles the quotes inside a text", () => {
    expect(literal("co'l")).toBe("'co''l'");
  });

  it("writes a backslash so that both settings of standard_conforming_strings read it alike", () => {
    expect(literal("a\\'b")).toBe(" E'a\\\\''b'");
  });

  it("refuses what PostgreSQL cannot store", () => {
    expect(() => ident("a\0b")).toThrow(/NUL character/);
    expect(() => literal("a\0b")).toThrow(/NUL character/);
  });
});

describe("shortening a name", () => {
  const long = "a_very_long_table_name_".repeat(4);

  it("keeps what PostgreSQL would keep", () => {
    expect(shorten("users_email_filled")).toBe("users_email_filled");
    expect(shorten("x".repeat(63))).toBe("x".repeat(63));
  });

  it("keeps two long names with the same beginning apart, within 63 bytes", () => {
    const one = shorten(`${long}one`);
    const two = shorten(`${long}two`);
    expect(one).not.toBe(two);
    expect(Buffer.byteLength(one)).toBe(63);
  });

  it("gives the same name each time", () => {
    expect(shorten(`${long}one`)).toBe(shorten(`${long}one`));
  });

  it("counts bytes and never cuts a character in two", () => {
    const name = shorten("ä".repeat(60));
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
    expect(name).not.toContain("\uFFFD");
    expect(name.startsWith("ä".repeat(27))).toBe(true);
  });
});
