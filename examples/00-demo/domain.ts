/**
 * A whole database as one value: installed, tampered with, found out, mended; and who sees what in it.
 */
import { apply, planInstall, planUninstall, verify } from "underpin";
import { asPersona, createTestDatabase } from "underpin/testing";
import { access, definition, userProfiles } from "underpin/schema/progress-card";

/** How the demo speaks. */
export interface Voice {
  readonly say: (text: string) => void;
  readonly chapter: (text: string) => void;
  readonly fact: (what: string, value: string, holds: boolean) => void;
}

const WORLD = `
  INSERT INTO progress_card.institutions (id, code, name) VALUES
    ('00000000-0000-4000-8000-00000000000a', 'AAA', 'School A'),
    ('00000000-0000-4000-8000-00000000000b', 'BBB', 'School B');
  INSERT INTO progress_card.user_profiles (institution_id, id, full_name, email, role)
  SELECT i.id, ('00000000-0000-4000-8000-0000000000' || right(i.id::text, 1) || n)::uuid, 'Student ' || n, n || '@example.org', 'student'
  FROM progress_card.institutions AS i CROSS JOIN generate_series(1, 3) AS n;`;

/** Installs the progress-card domain in an embedded database, and shows what holds there. */
export async function showDomain({ say, chapter, fact }: Voice): Promise<void> {
  chapter("6. A whole database as one value: the progress cards of schools");
  await using school = await createTestDatabase();
  const install = planInstall(definition);
  const installed = await apply(school.db, install);
  fact(
    "installed",
    `${install.steps.length} steps, ${installed.outcome}`,
    installed.outcome === "applied",
  );
  const before = await verify(school.db, definition);
  fact("findings of verify", String(before.length), before.length === 0);

  say("  Somebody opens a policy, drops an index and switches triggers off …");
  await school.client.exec(`
    ALTER POLICY student_select ON progress_card.hpc_reflections USING (true);
    DROP INDEX progress_card.user_profiles_role_idx;
    ALTER TABLE progress_card.hpc_reports DISABLE TRIGGER USER;`);
  const findings = await verify(school.db, definition);
  for (const { object, message } of findings.slice(0, 4)) say(`    ${object}: ${message}`);
  if (findings.length > 4) say(`    … and ${findings.length - 4} more`);
  for (const { repair } of findings) if (repair !== null) await school.client.exec(repair);
  const left = await verify(school.db, definition);
  fact("findings after the repairs that it printed", String(left.length), left.length === 0);

  await school.client.exec(WORLD);
  const student = "00000000-0000-4000-8000-0000000000a1";
  const context = {
    access,
    persona: "student",
    tenant: "00000000-0000-4000-8000-00000000000a",
    user: student,
  } as const;
  const all = await school.db.select().from(userProfiles);
  const seen = await asPersona(school.db, context, (db) => db.select().from(userProfiles));
  fact(
    "of six students in two schools, a student sees",
    `${seen.length}: ${seen[0]?.fullName} of the own school`,
    all.length === 6 && seen.length === 1 && seen[0]?.id === student,
  );
  const gone = await apply(school.db, planUninstall(definition));
  fact("uninstalled", gone.outcome, gone.outcome === "applied");
}
