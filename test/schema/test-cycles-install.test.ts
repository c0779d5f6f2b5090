import { expect, it } from "vitest";
import { canonical } from "../../src/catalog/canonical.ts";
import { compareCatalogs } from "../../src/catalog/compare.ts";
import { readFacts } from "../../src/catalog/read-facts.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { planUninstall } from "../../src/install/plan-uninstall.ts";
import { snapshot, type Snapshot } from "../../src/install/snapshot.ts";
import { verify } from "../../src/install/verify.ts";
import type { Plan } from "../../src/plan/step.ts";
import { apply } from "../../src/run/apply.ts";
import type { KeyKind } from "../../src/schema/test-cycles/index.ts";
import { ident } from "../../src/sql/quote.ts";
import { onEngines } from "../support/server.ts";
import { domainOf, fill, ROLES, SCHEMA } from "./test-cycles-world.ts";

/** Made once for all engines, and not before the first has started: an embedded database holds up the other's start. */
const made = new Map<KeyKind, Promise<Snapshot>>();
function expectedOf(keys: KeyKind): Promise<Snapshot> {
  const known = made.get(keys) ?? snapshot(domainOf(keys).definition);
  made.set(keys, known);
  return known;
}

onEngines("the domain of test cycles", (engine) => {
  const look = async () => canonical(await readFacts(engine.db()), { leaveOut: ["underpin"] });
  const applied = async (plan: Plan) => {
    const { outcome, failure } = await apply(engine.db(), plan);
    return failure === undefined ? outcome : JSON.stringify(failure);
  };

  it.each<KeyKind>(["integer", "uuid"])(
    "keyed by %s installs, is verified, keeps its rows apart, and is uninstalled without a trace",
    async (keys) => {
      const { definition } = domainOf(keys);
      const expected = await expectedOf(keys);
      const before = await look();
      expect(await applied(planInstall(definition))).toBe("applied");
      expect(await verify(engine.db(), definition, { expected })).toEqual([]);
      const seen = await engine.executor().session((session) =>
        session.withSettings({ search_path: ident(SCHEMA) }, async () => {
          await session.query(`create table ids (lob text, name text, id ${keys})`);
          for (const code of ["here", "there"]) await session.query(fill(keys, code));
          return session.transaction(async (transaction) => {
            await transaction.query(
              `select set_config('app.tenant_id', (select id::text from ids where lob = 'here' and name = 'lob'), true),
                 set_config('app.user_id', (select id::text from ids where lob = 'here' and name = 'tester'), true)`,
            );
            await transaction.query(`set local role ${ident(`${ROLES}_tester`)}`);
            return transaction.query(
              `select (select count(*)::int from lobs) as lobs, (select count(*)::int from workflow_phases) as phases,
                 (select count(*)::int from reports) as reports`,
            );
          });
        }),
      );
      expect(seen).toEqual([{ lobs: 1, phases: 9, reports: 1 }]);
      await engine.executor().query(`drop table ${ident(SCHEMA)}.ids`);
      expect(await verify(engine.db(), definition, { expected })).toEqual([]);
      expect(await applied(planUninstall(definition))).toBe("applied");
      expect(compareCatalogs(before, await look())).toEqual([]);
    },
  );
});
