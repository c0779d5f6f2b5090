import { expect, it } from "vitest";
import { planInstall, planUninstall, type Definition, type Plan } from "../../src/index.ts";
import { apply } from "../../src/run/apply.ts";
import { observations } from "../../src/schema/observations/index.ts";
import { progressCard } from "../../src/schema/progress-card/index.ts";
import { reporting } from "../../src/schema/reporting/index.ts";
import { testCycles } from "../../src/schema/test-cycles/index.ts";
import { onServers } from "../support/server.ts";

const DOMAINS: readonly ((options: {
  readonly rolePrefix: string;
  readonly migratorRole: string;
}) => { readonly definition: Definition })[] = [reporting, progressCard, observations, testCycles];

onServers("a login that may create roles and is no superuser", (server) => {
  for (const domain of DOMAINS)
    it(`installs and uninstalls ${domain.name}`, async () => {
      const login = await server.role(`i_${domain.name.slice(0, 4)}`, { attributes: "CREATEROLE" });
      await server.sql()
        .unsafe(`DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO %I', current_database(), '${login}'); END $$;
        DROP SCHEMA IF EXISTS underpin CASCADE`);
      const db = server.connect(server.urlAs(login));
      const ended = async (plan: Plan) => {
        const { outcome, failure } = await apply(db, plan);
        return failure === undefined ? outcome : JSON.stringify(failure);
      };
      const { definition } = domain({ rolePrefix: login, migratorRole: `${login}_migrator` });
      expect(await ended(planInstall(definition))).toBe("applied");
      expect(await ended(planUninstall(definition))).toBe("applied");
      await db.end();
      await server.sql().unsafe("DROP SCHEMA underpin CASCADE");
    });
});
