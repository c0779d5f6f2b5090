/**
 * A table by site and month that looks after itself: a new site, a month that begins, months that leave.
 */
import { pgSchema, primaryKey, real, text, timestamp } from "drizzle-orm/pg-core";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { apply, defineDatabase, planInstall } from "underpin";
import {
  inspectPartitions,
  list,
  maintain,
  partitionBy,
  provisionRequests,
  range,
  validatePartitions,
  type Edge,
} from "underpin/partitioning";
import { createTestDatabase } from "underpin/testing";
import type { Voice } from "./domain.ts";

const field = pgSchema("field");
const sites = field.table("sites", { id: text().primaryKey() });
const readings = field.table(
  "readings",
  {
    siteId: text("site_id").notNull(),
    at: timestamp({ withTimezone: true }).notNull(),
    celsius: real().notNull(),
  },
  (t) => [primaryKey({ name: "readings_pk", columns: [t.siteId, t.at] })],
);
const bySiteAndMonth = partitionBy(
  readings,
  list(readings.siteId),
  range(readings.at, { every: "1 month", premake: 1, retain: "2 months" }),
);
const definition = defineDatabase({
  name: "field",
  tables: { field, sites, readings },
  partitions: [bySiteAndMonth],
  objects: provisionRequests(bySiteAndMonth, { from: sites, values: { siteId: sites.id } }),
});

/** Lives through half a year of readings; what is let go of is written to `archive` first. */
export async function showPartitions(
  { say, chapter, fact }: Voice,
  archive: string,
): Promise<void> {
  chapter("7. A table by site and month, whose partitions look after themselves");
  await using database = await createTestDatabase();
  const { client, db } = database;
  await apply(client, planInstall(definition));
  const today = new Date();
  const month = (offset: number) =>
    new Date(Date.UTC(today.getUTCFullYear(), today.getUTCMonth() + offset, 2));
  const look = (now: Date) =>
    maintain(client, [bySiteAndMonth], {
      now,
      graceDays: 0,
      archive: { kind: "copy", directory: archive },
    });
  const write = (siteId: string, at: Date) =>
    db
      .insert(readings)
      .values({ siteId, at, celsius: 21.5 })
      .then(
        () => true,
        () => false,
      );
  const months = async () => {
    const { partitions } = await inspectPartitions(client, bySiteAndMonth);
    return partitions.filter(({ isLeaf }) => isLeaf).map(({ name }) => name);
  };

  fact("a reading of a site that nobody knows", "refused", !(await write("north", month(0))));
  say("  The application inserts two sites, as ever, and maintenance runs, as every minute …");
  await db.insert(sites).values([{ id: "north" }, { id: "south" }]);
  await look(month(0));
  const before = await months();
  const isWritten = (await write("north", month(0))) && (await write("south", month(0)));
  fact(
    "months of both before their first row",
    String(before.length),
    before.length === 4 && isWritten,
  );

  await look(month(1));
  const next = (await months()).filter((name) => !before.includes(name));
  fact("a month begins, and the one after it is there", next.join(", "), next.length === 2);

  let written = 2;
  for (const offset of [1, 2, 3, 4]) {
    await look(month(offset));
    if (await write("north", month(offset))) written += 1;
  }
  say("  Four months on, two of them are older than is kept …");
  await look(month(4));
  const { rows } = await client.query("SELECT FROM field.readings");
  const files = readdirSync(archive);
  const archived = files.flatMap((file) =>
    readFileSync(join(archive, file), "utf8").trim().split("\n").slice(1),
  );
  fact(
    `of ${written} rows`,
    `${rows.length} are in the table, and ${archived.length} in ${files.length} files of its archive`,
    written === 6 && rows.length === 3 && archived.length === 3,
  );
  const { partitions } = await inspectPartitions(client, bySiteAndMonth);
  for (const site of partitions.filter(({ level }) => level === 1)) {
    say(`    ${site.name}, ${site.bytes.total / 1024} kB`);
    for (const { name, parent, bound } of partitions)
      if (parent === site.oid && bound?.strategy === "range")
        say(
          `      ${name} from ${bound.lower.map(day).join("")} to ${bound.upper.map(day).join("")}`,
        );
  }
  const findings = await validatePartitions(client, bySiteAndMonth, { now: month(4) });
  fact("findings of validatePartitions", String(findings.length), findings.length === 0);
  const { steps } = await look(month(4));
  fact("steps where nothing is to be done", String(steps.length), steps.length === 0);
}

/** An edge as PostgreSQL prints it begins with its day. */
function day(edge: Edge): string {
  return typeof edge === "string" ? edge : edge.value.slice(0, 10);
}
