import { COMMANDS } from "../../definition/access.ts";
import { ident } from "../../sql/quote.ts";
import { sqlText } from "../../sql/sql-text.ts";
import type { PlannedCell } from "./cell.ts";
import { rolesOf, type ProofModel, type ProvenTable } from "./model.ts";
import { ofTable, type Mutation } from "./mutation.ts";

/** Each policy of a table: gone, true, or for others. */
export function policyMutations(model: ProofModel, table: ProvenTable): readonly Mutation[] {
  const personasOf = (roles: readonly string[]) =>
    new Set(
      model.definition.access.flatMap((access) =>
        Object.entries(access.roles)
          .filter(([, role]) => roles.includes(role))
          .map(([persona]) => persona),
      ),
    );
  const personaRoles = new Set(
    model.definition.access.flatMap(({ roles }) => Object.values(roles)),
  );
  const groups: Set<string>[] = [];
  return table.policies.flatMap((policy, rank): Mutation[] => {
    const roles = rolesOf(policy);
    const personas = personasOf(roles);
    // Not where it is for others than personas, as for who runs the lookups: it may be everybody's matter.
    const group =
      policy.as === "restrictive" || !roles.every((role) => personaRoles.has(role))
        ? undefined
        : `${table.sql} ${groupFor(groups, [...roles, ...personas])}`;
    const together = (step: number) => (group === undefined ? {} : { together: { group, step } });
    const on = `${ident(policy.name)} ON ${table.sql}`;
    const at = {
      object: `policy ${ident(policy.name)} of ${table.path}`,
      of: table.path,
    };
    const command = policy.for ?? "all";
    const shows = (cell: PlannedCell) =>
      cell.object === table.path &&
      (cell.persona === "catalog" || (personas.has(cell.persona) && isAbout(cell, command)));
    const opened = (cell: PlannedCell) => shows(cell) && canOpen(cell);
    const first = policy.as === "restrictive" ? FLOOR_FIRST : firstOf(command);
    const open = [
      policy.using === undefined ? "" : " USING (true)",
      policy.withCheck === undefined ? "" : " WITH CHECK (true)",
    ].join("");
    const isTrue = [policy.using, policy.withCheck].every(
      (expression) => expression === undefined || sqlText(expression) === "true",
    );
    const using = policy.using !== undefined && policy.withCheck !== undefined;
    return [
      { ...at, title: "drop the policy", sql: `DROP POLICY ${on}`, shows, first, ...together(2) },
      ...(isTrue
        ? []
        : [
            {
              ...at,
              title: "make the policy true",
              sql: `ALTER POLICY ${on}${open}`,
              shows: opened,
              first,
              ...together(1),
            },
          ]),
      ...(using && !isTrue
        ? [
            {
              ...at,
              title: "make what the policy checks true",
              sql: `ALTER POLICY ${on} WITH CHECK (true)`,
              shows: (cell: PlannedCell) =>
                opened(cell) && (cell.persona === "catalog" || MOVES.test(cell.command)),
              first: policy.as === "restrictive" ? FLOOR_FIRST : WITHIN_FIRST,
              ...together(0),
            },
          ]
        : []),
      // One of each table: what it shows does not depend on which.
      ...(rank !== 1
        ? []
        : [
            {
              ...at,
              title: "give the policy to everybody",
              sql: `ALTER POLICY ${on} TO PUBLIC`,
              first: firstOf(command),
              shows: (cell: PlannedCell) =>
                cell.object === table.path &&
                canOpen(cell) &&
                (cell.persona === "catalog" ||
                  (!personas.has(cell.persona) &&
                    cell.expected !== "refused privilege" &&
                    isAbout(cell, command))),
            },
          ]),
    ];
  });
}

/** The first group in which none of these roles and personas is yet, with them: a policy says nothing to a persona that it is not for. */
function groupFor(groups: Set<string>[], concerned: readonly string[]): number {
  const found = groups.findIndex((taken) => !concerned.some((each) => taken.has(each)));
  const at = found === -1 ? groups.push(new Set()) - 1 : found;
  for (const each of concerned) groups[at]?.add(each);
  return at;
}

type Fits = (cell: PlannedCell) => boolean;

/** A floor shows by what comes from or goes to another tenant: what inserts it is held by nothing else where a persona may insert. */
const FLOOR_FIRST: readonly Fits[] = [
  ({ command }) => command === "insert into another tenant",
  ({ command }) => command.startsWith("select"),
  ({ command }) => command === "update to another tenant",
];

/** What is checked besides the floor shows within the tenant. */
const WITHIN_FIRST: readonly Fits[] = [
  ({ command }) => command.endsWith(" to another's") || command === "insert for others",
];

/** The one policy of a role and command shows by the command itself: what is allowed no longer is, or what is hidden is there. */
function firstOf(command: string): readonly Fits[] {
  if (command === "all") return [];
  return [
    ({ command: tried, denies }) => tried === command && !(command === "insert" && denies),
    ({ command: tried }) => tried.startsWith(command),
  ];
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

/** A policy that is opened takes nothing away: what was neither refused nor hidden is answered as before. */
function canOpen({ persona, denies }: PlannedCell): boolean {
  return persona === "catalog" || denies;
}

/** Contexts that are right in themselves: the others are refused by the functions, whatever a table's policies are. */
const CONTEXTS: ReadonlySet<PlannedCell["context"]> = new Set(["right", "other tenant"]);

/** Whoever is not the owner, the migrator or the catalog. */
const PERSONAL = /^(?!owner$|control$|catalog$)/;

const PRIVILEGES = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"];

/** The table itself: its row security, its privileges, its triggers. */
export function tableMutations(table: ProvenTable): readonly Mutation[] {
  const all = ofTable(table);
  const shows = (cell: PlannedCell) =>
    all(cell) && (!PERSONAL.test(cell.persona) || CONTEXTS.has(cell.context));
  const change = `ALTER TABLE ${table.sql}`;
  const at = { object: table.path, of: table.path, shows };
  const isOwner = ({ persona }: PlannedCell) => persona === "owner";
  return [
    { ...at, title: "disable row security", sql: `${change} DISABLE ROW LEVEL SECURITY` },
    {
      ...at,
      title: "do not force row security",
      sql: `${change} NO FORCE ROW LEVEL SECURITY`,
      first: [isOwner],
    },
    {
      ...at,
      title: "add a policy for everybody",
      sql: `CREATE POLICY underpin_hole ON ${table.sql} USING (true)`,
      shows: (cell: PlannedCell) => shows(cell) && canOpen(cell),
    },
    ...PRIVILEGES.map((privilege) => ({
      ...at,
      title: `grant ${privilege} to everybody`,
      sql: `GRANT ${privilege} ON ${table.sql} TO PUBLIC`,
      shows: (cell: PlannedCell) =>
        all(cell) &&
        (cell.persona === "catalog" ||
          (cell.expected === "refused privilege" && cell.command === privilege.toLowerCase())),
      // Given to everybody it is everybody's: no row security is asked by TRUNCATE.
      ...(privilege === "TRUNCATE" ? { most: 1 } : {}),
      // Its statement needs its own privilege and no other.
      ...(COMMANDS.some((command) => command === privilege.toLowerCase())
        ? { together: { group: `${table.sql} grants`, step: 0 } }
        : {}),
    })),
    ...(table.rules?.appendOnly === true
      ? [
          {
            ...at,
            title: "disable the triggers",
            sql: `${change} DISABLE TRIGGER USER`,
            first: [isOwner],
          },
        ]
      : []),
  ];
}
