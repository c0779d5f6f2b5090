import type { CreateStmt, PartitionCmd } from "libpg-query";
import type { Lock, RelationName } from "../../plan/step.ts";
import { doBlock } from "../../sql/dollar-quoted.ts";
import { literal } from "../../sql/quote.ts";
import { isCalm, isMade, nameOf, partitionOf, type Scene } from "./scene.ts";
import {
  backBy,
  gated,
  lockOn,
  never,
  online,
  pathOf,
  taken,
  type Change,
  type Hazard,
  type Verdict,
} from "./verdict.ts";

/** ATTACH PARTITION: brief where the script has just made the partition, since an empty one is read in no time. */
export function judgeAttach(
  scene: Scene,
  table: RelationName,
  cmd: PartitionCmd,
  change: Change,
): Verdict {
  const child = nameOf(scene, cmd.name);
  const fallback = defaultOf(scene, table);
  const locks: readonly Lock[] = [
    { ...table, mode: "shareUpdateExclusive" },
    lockOn(child, "accessExclusive"),
    ...(fallback === undefined ? [] : [lockOn(fallback, "accessExclusive")]),
  ];
  const asIs = {
    locks,
    undo: backBy(`ALTER TABLE ${pathOf(table)} DETACH PARTITION ${pathOf(child)}`, [
      { ...table, mode: "accessExclusive" },
      lockOn(child, "accessExclusive"),
      ...(fallback === undefined ? [] : [lockOn(fallback, "accessExclusive")]),
    ]),
  };
  const isNew =
    isMade(scene, table) || (isCalm(scene, child, "attach-partition") && fallback === undefined);
  if (isNew || scene.allowed.has("attach-partition") || isChecked(scene, child))
    return taken(change, asIs);
  const hazard: Hazard = {
    rule: "attach-partition",
    object: pathOf(child),
    lock: { ...child, mode: "accessExclusive" },
    ...(fallback === undefined
      ? {}
      : { note: `the default partition ${pathOf(fallback)} is read whole under ACCESS EXCLUSIVE` }),
  };
  return gated(
    change,
    hazard,
    `Has ${pathOf(child)} a validated CHECK of its bound${fallback === undefined ? "" : `, and ${pathOf(fallback)} one that excludes it`}? Else they are read whole while nobody can use them.`,
    asIs,
  );
}

/** A validated CHECK of its own: most likely that of the bound. Whether it is, PostgreSQL decides. */
function isChecked(scene: Scene, { schema, name }: RelationName): boolean {
  return (
    scene.facts?.constraints.some(
      (each) =>
        each.schema === schema && each.table === name && each.kind === "check" && each.validated,
    ) === true && defaultOf(scene, { schema, name }) === undefined
  );
}

function defaultOf(scene: Scene, { schema, name }: RelationName): RelationName | undefined {
  const found = scene.facts?.partitions.find(
    (each) =>
      each.parent?.schema === schema && each.parent.name === name && each.bound === "DEFAULT",
  );
  return found && { schema: found.schema, name: found.name };
}

/** DETACH PARTITION: concurrently, which the undo turns round by attaching it again. */
export function judgeDetach(
  scene: Scene,
  table: RelationName,
  cmd: PartitionCmd,
  change: Change,
): Verdict {
  const child = nameOf(scene, cmd.name);
  const bound = partitionOf(scene, child)?.bound;
  const locks = [lockOn(table, "accessExclusive")];
  // What the detach leaves as a CHECK proves the bound to ATTACH, and then goes.
  const back = [
    `ALTER TABLE ${pathOf(table)} ATTACH PARTITION ${pathOf(child)} ${bound ?? ""}`,
    ...(scene.facts === undefined ? [] : [dropLeftChecks(scene, child)]),
  ].join(";\n");
  const undo =
    typeof bound === "string"
      ? backBy(back, [{ ...table, mode: "shareUpdateExclusive" }, lockOn(child, "accessExclusive")])
      : never("the bound of the partition is not known: hand over facts");
  if (cmd.concurrent !== true && (isMade(scene, table) || scene.allowed.has("detach-partition")))
    return taken(change, { locks, undo });
  const hazard: Hazard = {
    rule: "detach-partition",
    object: pathOf(child),
    lock: { ...table, mode: "accessExclusive" },
  };
  if (defaultOf(scene, table) !== undefined)
    return gated(
      change,
      { ...hazard, note: "beside a default partition PostgreSQL refuses CONCURRENTLY" },
      `Can ${pathOf(table)} be out of use for the moment of the DETACH?`,
      { locks, undo },
    );
  const sql = `ALTER TABLE ${pathOf(table)} DETACH PARTITION ${pathOf(child)}`;
  const inherits = `FROM pg_catalog.pg_inherits i WHERE i.inhrelid = pg_catalog.to_regclass(${literal(pathOf(child))})
  AND i.inhparent = pg_catalog.to_regclass(${literal(pathOf(table))})`;
  return online(change, cmd.concurrent === true ? [] : [hazard], [
    {
      kind: "sql",
      id: "detach",
      title: `Detach ${child.name} while reads and writes go on`,
      sql: `${sql} CONCURRENTLY`,
      locks: [
        { ...table, mode: "shareUpdateExclusive" },
        { ...child, mode: "accessExclusive" },
      ],
      transaction: "outside",
      probe: {
        sql: `SELECT coalesce((SELECT CASE WHEN i.inhdetachpending THEN 'broken' ELSE 'absent' END ${inherits}), 'done') AS state`,
        repair: { sql: `${sql} FINALIZE`, then: "done" },
      },
      undo,
    },
  ]);
}

/** Drops the CHECKs of a table that the facts do not know. */
function dropLeftChecks(scene: Scene, child: RelationName): string {
  const known = (scene.facts?.constraints ?? [])
    .filter((each) => each.schema === child.schema && each.table === child.name)
    .map(({ name }) => literal(name));
  const path = literal(pathOf(child));
  return doBlock(`
DECLARE
  v_name text;
BEGIN
  FOR v_name IN SELECT c.conname FROM pg_catalog.pg_constraint c WHERE c.conrelid = ${path}::regclass
    AND c.contype = 'c' AND c.conname::text <> ALL (ARRAY[${known.join(", ")}]::text[]) LOOP
    EXECUTE pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', ${path}, v_name);
  END LOOP;
END`);
}

/** CREATE TABLE … PARTITION OF a table that is there. */
export function partitionHazard(scene: Scene, create: CreateStmt): Hazard | undefined {
  const [parent] = create.inhRelations ?? [];
  if (create.partbound === undefined || parent === undefined || !("RangeVar" in parent))
    return undefined;
  const table = nameOf(scene, parent.RangeVar);
  if (isMade(scene, table) || scene.allowed.has("create-partition")) return undefined;
  const fallback = defaultOf(scene, table);
  return {
    rule: "create-partition",
    object: pathOf(table),
    lock: { ...table, mode: "accessExclusive" },
    ...(fallback === undefined ? {} : { note: `${pathOf(fallback)} is read whole` }),
  };
}
