import type { AccessData } from "../../definition/access.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import type { PlannedCell } from "./cell.ts";
import type { Mutation } from "./mutation.ts";
import { accessFunctions } from "./posture.ts";

/** The functions and roles of an access. */
export function accessMutations(access: AccessData): readonly Mutation[] {
  const functions = accessFunctions(access).flatMap(({ name, owner }): Mutation[] => {
    const called = `${qualified(access.schema, name)}()`;
    const object = `function ${called}`;
    const shows = (cell: PlannedCell) => cell.object === object;
    return [
      {
        title: "make the function IMMUTABLE",
        object,
        sql: `ALTER FUNCTION ${called} IMMUTABLE`,
        shows: (cell) => cell.context === "switched" || shows(cell),
      },
      {
        title: "forget its search_path",
        object,
        sql: `ALTER FUNCTION ${called} RESET search_path`,
        shows,
      },
      {
        title: "let everybody call it",
        object,
        sql: `GRANT EXECUTE ON FUNCTION ${called} TO PUBLIC`,
        shows,
      },
      owner === null
        ? {
            title: "make it SECURITY DEFINER",
            object,
            sql: `ALTER FUNCTION ${called} SECURITY DEFINER`,
            shows,
          }
        : // Not called: a lookup that is asked by policies recurses then, and WebAssembly has no stack for it.
          {
            title: "make it SECURITY INVOKER",
            object,
            sql: `ALTER FUNCTION ${called} SECURITY INVOKER`,
            shows,
          },
    ];
  });
  const personas = [...new Set(Object.values(access.roles))];
  const between = ident(shorten(`${access.readerRole}_between`));
  const roles = Object.entries(access.roles).flatMap(([persona, role]): Mutation[] => {
    const object = `role ${ident(role)}`;
    const isOfRoles = (cell: PlannedCell) => cell.object === `roles of ${ident(access.schema)}`;
    const shows = (cell: PlannedCell) =>
      (cell.persona === persona && cell.command === "select" && cell.denies) || isOfRoles(cell);
    return [
      {
        title: "let it go around row security",
        object,
        sql: `ALTER ROLE ${ident(role)} BYPASSRLS`,
        shows,
      },
      {
        title: "make it a migrator",
        object,
        sql: `GRANT ${ident(access.migratorRole)} TO ${ident(role)}`,
        shows: isOfRoles,
      },
      {
        title: "make it a reader",
        object,
        sql: `GRANT ${ident(access.readerRole)} TO ${ident(role)}`,
        shows: isOfRoles,
      },
      // INHERIT before the grant: from 16 on that is where a membership takes it from.
      {
        title: "let it in through a third role",
        object,
        sql: `CREATE ROLE ${between} INHERIT; GRANT ${ident(access.migratorRole)} TO ${between}; ALTER ROLE ${ident(role)} INHERIT; GRANT ${between} TO ${ident(role)}`,
        shows,
      },
      ...personas
        .filter((other) => other !== role)
        .map((other) => ({
          title: `put it into ${ident(other)}`,
          object,
          sql: `GRANT ${ident(other)} TO ${ident(role)}`,
          shows: isOfRoles,
        })),
    ];
  });
  const staff = [access.readerRole, access.migratorRole].flatMap((role): Mutation[] => {
    const shows = ({ object }: PlannedCell) => object === `roles of ${ident(access.schema)}`;
    const object = `role ${ident(role)}`;
    return [
      { title: "let it log in", object, sql: `ALTER ROLE ${ident(role)} LOGIN`, shows },
      {
        title: "let it go around row security",
        object,
        sql: `ALTER ROLE ${ident(role)} BYPASSRLS`,
        shows,
      },
    ];
  });
  return [...functions, ...roles, ...staff];
}
