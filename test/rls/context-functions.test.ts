import { expect, it } from "vitest";
import type { IdType } from "../../src/definition/access.ts";
import { sqlStateOf } from "../../src/errors.ts";
import { contextFunctions } from "../../src/rls/context-functions.ts";
import { defineAccess } from "../../src/rls/index.ts";
import { literal } from "../../src/sql/quote.ts";
import { onEngines } from "../support/server.ts";

onEngines("the functions of a context", (engine) => {
  /** Asks for the tenant of a type, in a transaction that is rolled back. */
  const ask = (type: IdType, value: string): Promise<unknown> => {
    const access = defineAccess({
      schema: "context",
      tenantColumn: "tenantId",
      personas: ["one"],
      tenantType: type,
    });
    const [made] = contextFunctions(access);
    const takeBack = new Error("taken back");
    const results: unknown[] = [];
    return engine
      .executor()
      .transaction(async (tx) => {
        const create = made?.create.split(";\nREVOKE")[0] ?? "";
        await tx.query(`CREATE SCHEMA context; ${create}`);
        await tx.query(`SELECT set_config('app.tenant_id', ${literal(value)}, true)`);
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
});
