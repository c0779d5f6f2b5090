import { getTableConfig } from "drizzle-orm/pg-core";
import type { AccessData } from "../../definition/access.ts";
import { ident, qualified } from "../../sql/quote.ts";
import { sqlText } from "../../sql/sql-text.ts";
import type { PlannedCell } from "./cell.ts";
import { rolesOf, value, type ProofModel, type ProvenTable } from "./model.ts";
import { accessFunctions } from "./posture.ts";
import { sample, typeNames } from "./samples.ts";

/** One way to break the protection, and the cells that can show it: what persons see first, what the catalog says last. */
export interface Mutation {
  readonly title: string;
  readonly object: string;
  readonly sql: string;
  readonly shows: (cell: PlannedCell) => boolean;
  /** Cells that are looked at before others. */
  readonly first?: (cell: PlannedCell) => boolean;
}

/** Every way that is tried. */
export function mutationsOf(model: ProofModel): readonly Mutation[] {
  return [
    ...model.tables
      .filter(({ rules }) => rules !== null)
      .flatMap((table) => [
        ...policyMutations(model, table),
        ...tableMutations(table),
        ...partitionMutations(model, table),
      ]),
    ...model.definition.access.flatMap((access) => accessMutations(access)),
    ...viewMutations(model),
    ...undeclared(model),
  ];
}

function ofTable(table: ProvenTable): (cell: PlannedCell) => boolean {
  return ({ object }) => object === table.path;
}

function policyMutations(model: ProofModel, table: ProvenTable): readonly Mutation[] {
  const personasOf = (roles: readonly string[]) =>
    new Set(
      model.definition.access.flatMap((access) =>
        Object.entries(access.roles)
          .filter(([, role]) => roles.includes(role))
          .map(([persona]) => persona),
      ),
    );
  return getTableConfig(table.table).policies.flatMap((policy): Mutation[] => {
    const roles = rolesOf(policy);
    const personas = personasOf(roles);
    const on = `${ident(policy.name)} ON ${table.sql}`;
    const object = `policy ${ident(policy.name)} of ${table.path}`;
    const command = policy.for ?? "all";
    const shows = (cell: PlannedCell) =>
      cell.object === table.path &&
      (cell.persona === "catalog" || (personas.has(cell.persona) && isAbout(cell, command)));
    const first = ({ command: tried }: PlannedCell) =>
      command === "all" || tried.startsWith(command);
    const open = [
      policy.using === undefined ? "" : " USING (true)",
      policy.withCheck === undefined ? "" : " WITH CHECK (true)",
    ].join("");
    const isTrue = [policy.using, policy.withCheck].every(
      (expression) => expression === undefined || sqlText(expression) === "true",
    );
    const using = policy.using !== undefined && policy.withCheck !== undefined;
    return [
      { title: "drop the policy", object, sql: `DROP POLICY ${on}`, shows, first },
      ...(isTrue
        ? []
        : [
            {
              title: "make the policy true",
              object,
              sql: `ALTER POLICY ${on}${open}`,
              shows,
              first,
            },
          ]),
      ...(using && !isTrue
        ? [
            {
              title: "make what the policy checks true",
              object,
              sql: `ALTER POLICY ${on} WITH CHECK (true)`,
              shows: (cell: PlannedCell) =>
                shows(cell) && (cell.persona === "catalog" || MOVES.test(cell.command)),
            },
          ]
        : []),
      {
        title: "give the policy to everybody",
        object,
        sql: `ALTER POLICY ${on} TO PUBLIC`,
        shows: (cell) =>
          cell.object === table.path &&
          (cell.persona === "catalog" ||
            (!personas.has(cell.persona) &&
              cell.expected !== "refused privilege" &&
              isAbout(cell, command))),
      },
    ];
  });
}

/** Commands by which a row comes to where it was not. */
const MOVES = / (?:to|into|for) /;

/** The commands on which a policy for a command has a say. */
const ABOUT = {
  all: /^/,
  select: /^(?:select|merge|insert returning|upsert)/,
  insert: /^(?:insert|upsert)/,
  update: /^(?:update|merge|select for update|upsert)/,
  delete: /^delete/,
} as const;

function isAbout({ command, context }: PlannedCell, of: keyof typeof ABOUT): boolean {
  return ABOUT[of].test(command) && CONTEXTS.has(context);
}

/** Contexts that are right in themselves: the others are refused by the functions, whatever a table's policies are. */
const CONTEXTS: ReadonlySet<PlannedCell["context"]> = new Set(["right", "other tenant"]);

/** Whoever is not the owner, the migrator or the catalog. */
const PERSONAL = /^(?!owner$|control$|catalog$)/;

const PRIVILEGES = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"];

function tableMutations(table: ProvenTable): readonly Mutation[] {
  const all = ofTable(table);
  const shows = (cell: PlannedCell) =>
    all(cell) && (!PERSONAL.test(cell.persona) || CONTEXTS.has(cell.context));
  const change = `ALTER TABLE ${table.sql}`;
  const at = { object: table.path, shows };
  const isOwner = ({ persona }: PlannedCell) => persona === "owner";
  return [
    { ...at, title: "disable row security", sql: `${change} DISABLE ROW LEVEL SECURITY` },
    {
      ...at,
      title: "do not force row security",
      sql: `${change} NO FORCE ROW LEVEL SECURITY`,
      first: isOwner,
    },
    {
      ...at,
      title: "add a policy for everybody",
      sql: `CREATE POLICY underpin_hole ON ${table.sql} USING (true)`,
    },
    ...PRIVILEGES.map((privilege) => ({
      ...at,
      title: `grant ${privilege} to everybody`,
      sql: `GRANT ${privilege} ON ${table.sql} TO PUBLIC`,
      shows: (cell: PlannedCell) =>
        all(cell) &&
        (cell.persona === "catalog" ||
          (cell.expected === "refused privilege" && cell.command === privilege.toLowerCase())),
    })),
    ...(table.rules?.appendOnly === true
      ? [
          {
            ...at,
            title: "disable the triggers",
            sql: `${change} DISABLE TRIGGER USER`,
            first: isOwner,
          },
        ]
      : []),
  ];
}

function partitionMutations(model: ProofModel, table: ProvenTable): readonly Mutation[] {
  const members = model.catalog.partitions.filter(
    ({ root }) => qualified(root.schema, root.name) === table.sql,
  );
  const shows = ofTable(table);
  const leaf = members.find(({ level, key }) => level > 0 && key === null);
  const root = members.find(({ level }) => level === 0);
  const at = { object: table.path, shows };
  const column = root?.key?.columns[0];
  const type = table.columns.find(({ name }) => name === column)?.type;
  const types = typeNames(model.catalog.types);
  const fresh = (row: number) =>
    type === undefined
      ? undefined
      : sample({
          type,
          column: "fresh",
          row,
          tenant: 8,
          global: true,
          types,
          uuid: () => `88888888-8888-4888-8888-88888888888${row}`,
        });
  const bound =
    root?.key?.strategy === "list"
      ? `FOR VALUES IN (${value(fresh(1) ?? null)})`
      : root?.key?.strategy === "range" && root.key.columns.length === 1
        ? "FOR VALUES FROM (MINVALUE) TO (MINVALUE)"
        : undefined;
  const low = /^(?:date|timestamp)/.test(type ?? "") ? "'1900-01-01'" : "-2000000000";
  const high = /^(?:date|timestamp)/.test(type ?? "") ? "'1900-01-02'" : "-1999999999";
  const bare = ident("underpin_bare");
  return [
    ...(bound === undefined
      ? []
      : [
          {
            ...at,
            title: "attach a bare partition",
            sql: `CREATE TABLE ${ident(table.schema)}.${bare} PARTITION OF ${table.sql} ${bound.replace("(MINVALUE) TO (MINVALUE)", `(${low}) TO (${high})`)}`,
          },
        ]),
    ...(leaf === undefined
      ? []
      : [
          [
            "disable row security of a partition",
            `ALTER TABLE ${qualified(leaf.schema, leaf.name)} DISABLE ROW LEVEL SECURITY`,
          ],
          [
            "do not force row security of a partition",
            `ALTER TABLE ${qualified(leaf.schema, leaf.name)} NO FORCE ROW LEVEL SECURITY`,
          ],
          [
            "grant a partition to everybody",
            `GRANT SELECT ON ${qualified(leaf.schema, leaf.name)} TO PUBLIC`,
          ],
        ].map(([title = "", sql = ""]) => ({ ...at, title, sql }))),
  ];
}

function accessMutations(access: AccessData): readonly Mutation[] {
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
        : {
            title: "make it SECURITY INVOKER",
            object,
            sql: `ALTER FUNCTION ${called} SECURITY INVOKER`,
            shows: (cell) => shows(cell) || (cell.command === "select" && cell.context === "right"),
          },
    ];
  });
  const roles = Object.entries(access.roles).flatMap(([persona, role]): Mutation[] => {
    const object = `role ${ident(role)}`;
    const shows = (cell: PlannedCell) =>
      (cell.persona === persona && cell.command === "select" && cell.denies) ||
      cell.object === `roles of ${ident(access.schema)}`;
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
        shows,
      },
      {
        title: "make it a reader",
        object,
        sql: `GRANT ${ident(access.readerRole)} TO ${ident(role)}`,
        shows,
      },
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

function viewMutations(model: ProofModel): readonly Mutation[] {
  return model.views.map(({ sql, path, kind }): Mutation => {
    const shows = ({ object }: PlannedCell) => object === path;
    return kind === "view"
      ? {
          title: "let it read as its owner",
          object: path,
          sql: `ALTER VIEW ${sql} SET (security_invoker = false)`,
          shows,
        }
      : {
          title: "grant it to everybody",
          object: path,
          sql: `GRANT SELECT ON ${sql} TO PUBLIC`,
          shows,
        };
  });
}

/** A copy of a table that nobody declared. */
function undeclared(model: ProofModel): readonly Mutation[] {
  const table = model.tables.find(({ rules }) => rules !== null);
  if (table === undefined) return [];
  const copy = qualified(table.schema, "underpin_hole");
  return [
    {
      title: "grant a table that is not declared",
      object: "everything",
      sql: `CREATE TABLE ${copy} AS SELECT * FROM ${table.sql}; GRANT SELECT ON ${copy} TO PUBLIC`,
      shows: ({ object }) => object === "everything",
    },
  ];
}
