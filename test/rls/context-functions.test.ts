import { describe, expect, it } from "vitest";
import type { IdType } from "../../src/definition/access.ts";
import { sqlStateOf } from "../../src/errors.ts";
import { contextFunctions } from "../../src/rls/context-functions.ts";
import { defineAccess } from "../../src/rls/index.ts";
import { literal } from "../../src/sql/quote.ts";
import { onEngines } from "../support/server.ts";

onEngines("the functions of a context", (engine) => {
  /** Asks for the tenant of a type, in a transaction that is rolled back. */
  const ask = (
    type: IdType,
    value: string,
    target: "postgres" | "supabase" = "postgres",
  ): Promise<unknown> => {
    const access = defineAccess({
      schema: "context",
      tenantColumn: "tenantId",
      personas: ["one"],
      tenantType: type,
      target,
    });
    const [made] = contextFunctions(access);
    const takeBack = new Error("taken back");
    const results: unknown[] = [];
    return engine
      .executor()
      .transaction(async (tx) => {
        const create = made?.create.split(";\nREVOKE")[0] ?? "";
        await tx.query(`CREATE SCHEMA context; ${create}`);
        await tx.query(
          `SELECT set_config('${target === "supabase" ? "request.jwt.claims" : "app.tenant_id"}', ${literal(value)}, true)`,
        );
        // A subtransaction would be refused in a parallel plan, on 15 and 16.
        if (engine.server !== undefined)
          await tx.query(
            `SET LOCAL ${engine.major < 16 ? "force_parallel_mode" : "debug_parallel_query"} TO on`,
          );
        const [row] = await tx.query("SELECT context.current_tenant_id()::text AS id");
        results.push(row?.["id"]);
        throw takeBack;
      })
      .catch((error: unknown) => {
        if (error !== takeBack) throw error;
        return results[0];
      });
  };

  it("return what is of the type", async () => {
    const uuid = "AAAAAAAA-0000-4000-8000-00000000000f";
    expect(await ask("uuid", uuid)).toBe(uuid.toLowerCase());
    for (const value of ["0", "-1", "2147483647", "-2147483648"])
      expect(await ask("integer", value)).toBe(value);
    for (const value of ["9223372036854775807", "-9223372036854775808"])
      expect(await ask("bigint", value)).toBe(value);
    for (const value of ["O'Brien", " ", "\\"]) expect(await ask("text", value)).toBe(value);
  });

  it("refuse what is not, with 42501 and never with an error of a cast", async () => {
    const wrong: Readonly<Record<IdType, readonly string[]>> = {
      uuid: ["x", "00000000-0000-4000-8000-00000000000g", "-".repeat(36), `${"0".repeat(36)}`],
      integer: ["x", "2147483648", "-2147483649", "-", "1-2", "--1", "1.5", "9".repeat(30)],
      bigint: ["9223372036854775808", "1e3", "é"],
      text: [""],
    };
    for (const [type, values] of Object.entries(wrong) as [IdType, readonly string[]][])
      for (const value of values)
        await expect(ask(type, value), `${type} ${value}`).rejects.toSatisfy(
          (error) => sqlStateOf(error) === "42501",
        );
  });

  describe("of claims", () => {
    const refusal = (claims: string) =>
      ask("text", claims, "supabase").then(
        (id) => `found ${String(id)}`,
        (error: unknown) => {
          const { constraint, constraint_name: name } = error as Record<string, unknown>;
          return `${sqlStateOf(error) ?? ""} ${String(constraint ?? name)}`;
        },
      );
    const found = (rest: string) => `{${rest}"app_metadata": {"tenant_id": "mine"}}`;

    it("read what is JSON, however it is written", async () => {
      for (const rest of [
        "",
        ` \n\t\r"a" : [ ] , "b" :{} ,`,
        `"a": [1, -0, 1.5e+3, 0.25E-2, [true, false, null], {"b": {"c": [[[{}]]]}}],`,
        `"é\u2028\u0080 😀": "\\u00e9 \\ud83d\\ude00 \\u0001 \\uffff \\\\ \\" \\/ \\b\\f\\n\\r\\t",`,
        `"{\\"a\\":1}": "true, [1 {", "'": "$$ $body$",`,
        `"a": 1, "a": 2,`,
        `"n": ${"9".repeat(150)},`,
      ])
        expect(await refusal(found(rest)), rest).toBe("found mine");
    });

    it("refuse what is none with 42501, each by its own constraint and never with an error of a cast", async () => {
      const by = {
        rls_context_empty: ["", `{"app_metadata": {"tenant_id": ""}}`],
        rls_context_missing: ["{}", `{"app_metadata": 1}`, `{"app_metadata": {"tenant_id": null}}`],
        rls_context_malformed: [
          "not json",
          " ",
          `"text"`,
          "1",
          "null",
          "[]",
          `[${found("")}]`,
          `${found("")},`,
          `${found("")} ${found("")}`,
          found(`"a": "\\u0000",`),
          found(`"a": "\\ud83d",`),
          found(`"a": "\\ude00\\ud83d",`),
          found(`"a": "\\u12",`),
          found(`"a": "\\x",`),
          found(`"a": "\n",`),
          found(`"a": "\x01",`),
          found(`\x01: \x02,`),
          found(`"a": "b,`),
          found(`"a": 01,`),
          found(`"a": 1.,`),
          found(`"a": .5,`),
          found(`"a": +1,`),
          found(`"a": 1e999999999,`),
          found(`"a": truefalse,`),
          found(`"a": t rue,`),
          found(`"a": 1 2,`),
          found(`"a" "b",`),
          found(`"a": [1,],`),
          found(`1: 2,`),
          found(`"a": 'b',`),
          found(`,`),
        ],
      };
      for (const [constraint, all] of Object.entries(by))
        for (const claims of all) expect(await refusal(claims), claims).toBe(`42501 ${constraint}`);
    });
  });
});
