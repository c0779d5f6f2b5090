// Long because: one table of what CREATE makes, with the lock and the way back of each.
import type { CreateStmt, Node } from "libpg-query";
import type { Lock, RelationName, Undo } from "../../plan/step.ts";
import type { SqlStatement } from "../../sql/parse.ts";
import { ident } from "../../sql/quote.ts";
import { shorten } from "../../sql/shorten.ts";
import { constraintsOf } from "./judge-add-column.ts";
import { partitionHazard } from "./judge-partition.ts";
import { isMade, nameIn, nameOf, relationsIn, stringsOf, walkNodes, type Scene } from "./scene.ts";
import { signatureOf, typeWord } from "./type-text.ts";
import {
  backBy,
  lockOn,
  never,
  pathOf,
  refused,
  taken,
  titleOf,
  type Change,
  type Verdict,
} from "./verdict.ts";

const MAY_BE_THERE = "IF NOT EXISTS or OR REPLACE: it may have been there before";

/** What CREATE makes of something that nobody uses yet; undefined where it is none of these. */
export function judgeCreate(
  scene: Scene,
  { node }: SqlStatement,
  change: Change,
): Verdict | undefined {
  const fresh = withoutFacts(scene);
  if (isTemporary(node))
    return refused({
      rule: "session-setting",
      object: titleOf(change.sql),
      note: "a temporary table is seen by its own session only",
    });
  if ("CreateStmt" in node) return createTable(scene, node.CreateStmt, change);
  if ("CreateTableAsStmt" in node) {
    const { into, if_not_exists: mayExist, objtype, query } = node.CreateTableAsStmt;
    const made = nameOf(fresh, into?.rel);
    const reads = relationsIn(scene, query);
    const isView = objtype === "OBJECT_MATVIEW";
    const isEmpty = into?.skipData === true;
    return taken(change, {
      locks: readLocks(reads),
      creates: 1,
      ...(isEmpty ? {} : { rows: readsOf(reads) }),
      undo: dropOf(`${isView ? "MATERIALIZED VIEW" : "TABLE"} ${pathOf(made)}`, mayExist, [
        lockOn(made, "accessExclusive"),
      ]),
    });
  }
  if ("ViewStmt" in node) {
    const { view, replace, query } = node.ViewStmt;
    const made = nameOf(fresh, view);
    const before = scene.facts?.views.find(
      (each) => each.schema === made.schema && each.name === made.name,
    );
    return taken(change, {
      locks: [
        ...nameLocks(relationsIn(scene, query)),
        ...(before === undefined ? [] : [lockOn(made, "accessExclusive")]),
      ],
      creates: 1,
      undo:
        scene.facts !== undefined && before === undefined
          ? dropOf(`VIEW ${pathOf(made)}`, false, [lockOn(made, "accessExclusive")])
          : dropOf(`VIEW ${pathOf(made)}`, replace, [lockOn(made, "accessExclusive")]),
    });
  }
  if ("CreateFunctionStmt" in node) {
    const { funcname, parameters, replace, is_procedure: isProcedure } = node.CreateFunctionStmt;
    const name = functionName(scene, stringsOf(funcname));
    const kind = isProcedure === true ? "PROCEDURE" : "FUNCTION";
    return taken(change, {
      undo: dropOf(`${kind} ${pathOf(name)}(${signatureOf(parameters)})`, replace),
    });
  }
  if ("CreateTrigStmt" in node) {
    const { relation, trigname, replace, constrrel } = node.CreateTrigStmt;
    const table = nameOf(scene, relation);
    return taken(change, {
      locks: [
        lockOn(table, "shareRowExclusive"),
        ...(constrrel === undefined ? [] : [lockOn(nameOf(scene, constrrel), "shareRowExclusive")]),
      ],
      undo: ownUndo(scene, table, `TRIGGER ${ident(trigname ?? "")} ON ${pathOf(table)}`, replace),
    });
  }
  if ("CreatePolicyStmt" in node) {
    const { table: range, policy_name: policy, qual, with_check: check } = node.CreatePolicyStmt;
    const table = nameOf(scene, range);
    return taken(change, {
      locks: [lockOn(table, "accessExclusive"), ...nameLocks(relationsIn(scene, [qual, check]))],
      undo: ownUndo(scene, table, `POLICY ${ident(policy ?? "")} ON ${pathOf(table)}`),
    });
  }
  if ("RuleStmt" in node) {
    const { relation, rulename, replace } = node.RuleStmt;
    const table = nameOf(scene, relation);
    return taken(change, {
      locks: [lockOn(table, "accessExclusive")],
      undo: ownUndo(scene, table, `RULE ${ident(rulename ?? "")} ON ${pathOf(table)}`, replace),
    });
  }
  const simple = simpleObject(scene, node, fresh);
  if (simple === undefined) return undefined;
  return taken(change, {
    ...(simple.locks === undefined ? {} : { locks: simple.locks }),
    ...(simple.creates === undefined ? {} : { creates: simple.creates }),
    undo: dropOf(simple.drop, simple.mayExist, simple.goes ?? simple.locks ?? []),
  });
}

function isTemporary(node: Node): boolean {
  const range =
    "CreateStmt" in node
      ? node.CreateStmt.relation
      : "CreateTableAsStmt" in node
        ? node.CreateTableAsStmt.into?.rel
        : "ViewStmt" in node
          ? node.ViewStmt.view
          : "CreateSeqStmt" in node
            ? node.CreateSeqStmt.sequence
            : undefined;
  return range?.relpersistence === "t";
}

interface Simple {
  readonly drop: string;
  readonly mayExist?: boolean | undefined;
  readonly creates?: number;
  readonly locks?: readonly Lock[];
  /** What DROP locks, where it is not what CREATE does. */
  readonly goes?: readonly Lock[];
}

function simpleObject(scene: Scene, node: Node, fresh: Scene): Simple | undefined {
  const own = (words: readonly Node[] | undefined) => pathOf(nameIn(fresh, stringsOf(words)));
  if ("CreateEnumStmt" in node) return { drop: `TYPE ${own(node.CreateEnumStmt.typeName)}` };
  if ("CreateRangeStmt" in node) return { drop: `TYPE ${own(node.CreateRangeStmt.typeName)}` };
  if ("CompositeTypeStmt" in node)
    return {
      drop: `TYPE ${pathOf(nameOf(fresh, node.CompositeTypeStmt.typevar))}`,
      creates: 1,
      goes: [lockOn(nameOf(fresh, node.CompositeTypeStmt.typevar), "accessExclusive")],
    };
  if ("CreateDomainStmt" in node)
    return { drop: `DOMAIN ${own(node.CreateDomainStmt.domainname)}` };
  if ("CreateSeqStmt" in node) {
    const { sequence, if_not_exists: mayExist } = node.CreateSeqStmt;
    return {
      drop: `SEQUENCE ${pathOf(nameOf(fresh, sequence))}`,
      mayExist,
      creates: 1,
      goes: [lockOn(nameOf(fresh, sequence), "accessExclusive")],
    };
  }
  if ("CreateSchemaStmt" in node) {
    const { schemaname = "", if_not_exists: mayExist } = node.CreateSchemaStmt;
    const isNew =
      scene.facts !== undefined && scene.facts.schemas.every((s) => s.name !== schemaname);
    return { drop: `SCHEMA ${ident(schemaname)}`, mayExist: mayExist === true && !isNew };
  }
  if ("CreateExtensionStmt" in node) {
    const { extname = "", if_not_exists: mayExist } = node.CreateExtensionStmt;
    const isNew =
      scene.facts !== undefined && scene.facts.extensions.every((each) => each.name !== extname);
    return { drop: `EXTENSION ${ident(extname)}`, mayExist: mayExist === true && !isNew };
  }
  if ("CreateStatsStmt" in node) {
    const { defnames, relations, if_not_exists: mayExist } = node.CreateStatsStmt;
    const tables = relationsIn(scene, relations);
    return {
      drop: `STATISTICS ${own(defnames)}`,
      mayExist: mayExist === true || (defnames ?? []).length === 0,
      locks: tables.map((table): Lock => ({ ...table, mode: "shareUpdateExclusive" })),
    };
  }
  if ("CreatePublicationStmt" in node) {
    const { pubname = "", pubobjects } = node.CreatePublicationStmt;
    return {
      drop: `PUBLICATION ${ident(pubname)}`,
      locks: relationsIn(scene, pubobjects).map(
        (table): Lock => ({
          ...table,
          mode: "shareUpdateExclusive",
        }),
      ),
    };
  }
  if ("CreateRoleStmt" in node) return { drop: `ROLE ${ident(node.CreateRoleStmt.role ?? "")}` };
  if ("CreateEventTrigStmt" in node)
    return { drop: `EVENT TRIGGER ${ident(node.CreateEventTrigStmt.trigname ?? "")}` };
  return undefined;
}

function createTable(scene: Scene, create: CreateStmt, change: Change): Verdict {
  const made = nameOf(withoutFacts(scene), create.relation);
  const parents = (create.inhRelations ?? []).flatMap((node) =>
    "RangeVar" in node ? [nameOf(scene, node.RangeVar)] : [],
  );
  const parentMode = create.partbound === undefined ? "shareUpdateExclusive" : "accessExclusive";
  const hazard = partitionHazard(scene, create);
  const referenced: RelationName[] = [];
  const alike: RelationName[] = [];
  walkNodes(create.tableElts, (key, value) => {
    if (key === "Constraint" && "pktable" in value)
      referenced.push(nameOf(scene, value.pktable as never));
    if (key === "TableLikeClause" && "relation" in value)
      alike.push(nameOf(scene, value.relation as never));
  });
  return taken(change, {
    locks: [
      ...parents
        .filter((parent) => !isMade(scene, parent))
        .map((parent): Lock => ({ ...parent, mode: parentMode })),
      ...unique(referenced)
        .filter((table) => pathOf(table) !== pathOf(made))
        .map((table) => lockOn(table, "shareRowExclusive")),
      ...nameLocks(alike),
    ],
    creates: 1 + indexCount(create),
    undo: dropOf(
      `TABLE ${pathOf(made)}`,
      create.if_not_exists === true &&
        (scene.facts === undefined ||
          scene.facts.tables.some((t) => t.schema === made.schema && t.name === made.name)),
      unique([made, ...referenced, ...parents, ...ownedBy(made, create)]).map((table) =>
        lockOn(table, "accessExclusive"),
      ),
    ),
    hazards: hazard === undefined ? [] : [hazard],
  });
}

/** The indexes and sequences that go with a table, as far as they have a name or PostgreSQL gives them one by a rule. */
function ownedBy({ schema, name }: RelationName, create: CreateStmt): readonly RelationName[] {
  const names: string[] = [];
  for (const element of create.tableElts ?? []) {
    const column = "ColumnDef" in element ? element.ColumnDef : undefined;
    const constraints =
      column !== undefined
        ? constraintsOf(column)
        : "Constraint" in element
          ? [element.Constraint]
          : [];
    for (const { contype, conname, keys } of constraints) {
      const columns = column === undefined ? stringsOf(keys) : [column.colname ?? ""];
      if (contype === "CONSTR_PRIMARY") names.push(conname ?? shorten(`${name}_pkey`));
      if (contype === "CONSTR_UNIQUE")
        names.push(conname ?? shorten([name, ...columns, "key"].join("_")));
      if (contype === "CONSTR_EXCLUSION" && conname !== undefined) names.push(conname);
      if (contype === "CONSTR_IDENTITY") names.push(`${name}_${column?.colname ?? ""}_seq`);
    }
    if (column !== undefined && /^(?:small|big)?serial[248]?$/.test(typeWord(column.typeName)))
      names.push(`${name}_${column.colname ?? ""}_seq`);
  }
  return names.map((each) => ({ schema, name: each }));
}

function indexCount(create: CreateStmt): number {
  let count = 0;
  walkNodes(create.tableElts, (key, value) => {
    const type = (value as { contype?: string }).contype ?? "";
    // An identity or serial column has a sequence.
    if (key === "Constraint" && /^CONSTR_(?:PRIMARY|UNIQUE|EXCLUSION|IDENTITY)$/.test(type))
      count += 1;
    if (key === "typeName" && /^(?:small|big)?serial[248]?$/.test(typeWord(value))) count += 1;
  });
  return count;
}

function unique(names: readonly RelationName[]): readonly RelationName[] {
  return [...new Map(names.map((name) => [pathOf(name), name])).values()];
}

/** The name of a function is looked for in no list of relations. */
export function functionName(scene: Scene, words: readonly string[]): RelationName {
  const name = words[words.length - 1] ?? "";
  return { schema: words.length > 1 ? (words[words.length - 2] ?? "") : scene.schema, name };
}

/** What is read by a view or a policy, or once by CREATE TABLE AS. */
export function readLocks(reads: readonly RelationName[]): readonly Lock[] {
  return reads.map((read): Lock => ({ ...read, mode: "accessShare", partitions: true }));
}

/** What is named by a view, a policy or a LIKE: no row of it is read, and no index. */
function nameLocks(reads: readonly RelationName[]): readonly Lock[] {
  return reads.map((read): Lock => ({ ...read, mode: "accessShare", indexes: false }));
}

/** The rows that a statement reads: row security must not hide them. */
export function readsOf(reads: readonly RelationName[]) {
  return reads.map((read) => ({ ...read, access: "read" as const }));
}

function dropOf(what: string, mayExist: boolean | undefined, locks: readonly Lock[] = []): Undo {
  return mayExist === true ? never(MAY_BE_THERE) : backBy(`DROP ${what}`, locks);
}

/** What belongs to a table goes with it, where the script has made that. */
function ownUndo(
  scene: Scene,
  table: RelationName,
  what: string,
  mayExist: boolean | undefined = false,
): Undo {
  if (isMade(scene, table)) return { kind: "nothing" };
  return dropOf(what, mayExist, [lockOn(table, "accessExclusive")]);
}

/** What a statement makes, so that what follows in the script knows that nobody uses it yet. */
export function madeBy(scene: Scene, node: Node): readonly RelationName[] {
  if ("CreateStmt" in node)
    return node.CreateStmt.if_not_exists === true &&
      scene.facts?.tables.some((each) => {
        const made = nameOf(scene, node.CreateStmt.relation);
        return each.schema === made.schema && each.name === made.name;
      }) === true
      ? []
      : [nameOf(withoutFacts(scene), node.CreateStmt.relation)];
  if ("CreateTableAsStmt" in node)
    return [nameOf(withoutFacts(scene), node.CreateTableAsStmt.into?.rel)];
  if ("ViewStmt" in node) return [nameOf(withoutFacts(scene), node.ViewStmt.view)];
  if ("CreateSeqStmt" in node) return [nameOf(withoutFacts(scene), node.CreateSeqStmt.sequence)];
  if ("IndexStmt" in node) {
    const { relation, idxname } = node.IndexStmt;
    const table = nameOf(scene, relation);
    return isMade(scene, table) && idxname !== undefined
      ? [{ schema: table.schema, name: idxname }]
      : [];
  }
  if ("RenameStmt" in node && node.RenameStmt.renameType === "OBJECT_TABLE") {
    const before = nameOf(scene, node.RenameStmt.relation);
    return isMade(scene, before)
      ? [{ schema: before.schema, name: node.RenameStmt.newname ?? "" }]
      : [];
  }
  return [];
}

/** A new name without a schema goes to the schema of the script, whatever is called so elsewhere. */
function withoutFacts(scene: Scene): Scene {
  return { ...scene, facts: undefined };
}
