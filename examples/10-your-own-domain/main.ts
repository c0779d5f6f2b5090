import { apply, planInstall, planUninstall, verify } from "underpin";
import { inspectPartitions } from "underpin/partitioning";
import { createTestDatabase } from "underpin/testing";
import { definition, loansByMonth, media } from "./library.ts";

await using database = await createTestDatabase();
const { db, client } = database;
const { outcome } = await apply(db, planInstall(definition));
const { root } = await inspectPartitions(client, loansByMonth);
console.log(`installed: ${outcome}, with ${(await db.select().from(media)).length} medium`);
console.log(`months of loans: ${root.leaves}`);
console.log(`findings: ${(await verify(db, definition)).length}`);

await client.exec(`
  ALTER TABLE library.media DISABLE TRIGGER media_touch;
  ALTER TABLE library.media DROP CONSTRAINT media_copies_ck;
  COMMENT ON TABLE library.media IS 'TODO'`);
const findings = await verify(db, definition);
for (const { object, message } of findings) console.log(`  ${object}: ${message}`);
for (const { repair } of findings) if (repair !== null) await client.exec(repair);
console.log(`findings after the repairs that it printed: ${(await verify(db, definition)).length}`);

await apply(db, planUninstall(definition));
const { rows } = await client.query("SELECT FROM pg_namespace WHERE nspname = 'library'");
console.log(`schemas left behind: ${rows.length}`);
