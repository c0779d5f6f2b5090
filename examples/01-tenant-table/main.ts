import { apply, planInstall } from "underpin";
import { accessMatrix, proveIsolation, renderMatrix, withTenant } from "underpin/rls";
import { createTestDatabase } from "underpin/testing";
import { access, definition, notes } from "./notes.ts";

await using database = await createTestDatabase();
const { db, client } = database;
const { outcome } = await apply(db, planInstall(definition));
console.log(`installed: ${outcome}`);
for (const matrix of accessMatrix(definition)) console.log(renderMatrix(matrix));

const [red, blue] = [
  "00000000-0000-4000-8000-00000000000a",
  "00000000-0000-4000-8000-00000000000b",
] as const;
const [ada, bob] = [
  "00000000-0000-4000-8000-0000000000a1",
  "00000000-0000-4000-8000-0000000000b1",
] as const;
await db.insert(notes).values([
  { teamId: red, authorId: ada, body: "red one" },
  { teamId: red, authorId: ada, body: "red two" },
  { teamId: red, authorId: bob, body: "red three" },
  { teamId: blue, authorId: bob, body: "blue one" },
]);

for (const [name, tenant, user] of [
  ["ada of red", red, ada],
  ["bob of blue", blue, bob],
] as const) {
  await withTenant(db, { access, persona: "member", tenant, user }, async (tx) => {
    const seen = await tx.select().from(notes);
    const gone = await tx.delete(notes).returning();
    console.log(`${name} sees ${seen.length} of 4, and may delete ${gone.length} of them`);
  });
}

const proof = await proveIsolation(client, definition);
const { shown, total } = proof.score;
console.log(`the proof ${proof.ok ? "holds" : "fails"}: ${shown} of ${total} sabotages were seen`);

await client.exec(`
  ALTER POLICY member_select ON notebook.notes USING (true);
  ALTER POLICY tenant_floor ON notebook.notes USING (true)`);
const opened = await proveIsolation(client, definition, { mutate: false });
const leak = opened.cells.find(
  ({ status, command }) => status === "broken" && command === "select",
);
console.log(`the proof of an opened table ${opened.ok ? "holds" : "fails"}:`);
if (leak !== undefined)
  console.log(
    `  ${leak.persona}, ${leak.command} of ${leak.object}: expected ${leak.expected}; got ${leak.actual}`,
  );
