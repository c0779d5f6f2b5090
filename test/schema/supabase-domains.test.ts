import { btree_gist } from "@electric-sql/pglite/contrib/btree_gist";
import { pg_trgm } from "@electric-sql/pglite/contrib/pg_trgm";
import { afterAll, beforeAll, expect, it } from "vitest";
import { combine } from "../../src/definition/combine.ts";
import { definitionOf } from "../../src/definition/definition-of.ts";
import type { Definition } from "../../src/definition/definition.ts";
import { planInstall } from "../../src/install/plan-install.ts";
import { verify } from "../../src/install/verify.ts";
import { auditRls } from "../../src/rls/audit-rls.ts";
import { authFunctions, authStandIn } from "../../src/rls/auth-stand-in.ts";
import { proveIsolation, type ProofOptions } from "../../src/rls/prove-isolation.ts";
import { apply } from "../../src/run/apply.ts";
import { observations } from "../../src/schema/observations/index.ts";
import { progressCard } from "../../src/schema/progress-card/index.ts";
import { accessOf } from "../../src/schema/project-reports/access.ts";
import { domainOver } from "../../src/schema/project-reports/project-reports.ts";
import { standInHost } from "../../src/schema/project-reports/stand-in-host.ts";
import { reporting } from "../../src/schema/reporting/index.ts";
import { testCycles } from "../../src/schema/test-cycles/index.ts";
import { ident } from "../../src/sql/quote.ts";
import { onEngines, onServers, type TestServer } from "../support/server.ts";
import { idOf } from "./progress-card-world.ts";

const target = "supabase";
const migratorRole = "underpin_supabase_migrator";
const named = (name: string) => ({ target, migratorRole, rolePrefix: `supabase_${name}` }) as const;

interface Case {
  readonly definition: Definition;
  /** Whether it has the schema `auth` with tables of its own. */
  readonly hasAuth?: true;
  readonly options?: ProofOptions;
  /** The indexes that no query of a person can search, and why they are there. */
  readonly unsearchable?: Readonly<Record<string, string>>;
}

const CASES: readonly Case[] = [
  { definition: observations(named("observations")).definition },
  {
    definition: progressCard(named("progress_card")).definition,
    options: { generate: progressCardRows() },
  },
  {
    definition: projectReportsWithHost(),
    hasAuth: true,
    unsearchable: {
      pmr_templates_name_trigram:
        "each policy asks the token for the persona, which is a condition where a role for each persona has none",
      pmr_templates_type_idx: "the same: no comparison of enums is LEAKPROOF",
    },
  },
  {
    definition: reporting(named("reporting")).definition,
    unsearchable: { reports_parameters_idx: "for what the host does as its owner" },
  },
  { definition: testCycles(named("test_cycles")).definition },
];

/** What checks over several columns want. */
function progressCardRows(): NonNullable<ProofOptions["generate"]> {
  return {
    hpc_rubrics: () => ({
      levels: JSON.stringify([{ name: "Stream", descriptor: "begins", from: 0 }]),
    }),
    hpc_evaluations: ({ values }) => ({
      status: "submitted",
      submitted_at: "2026-01-01",
      score: values["scale_min"] ?? null,
    }),
    hpc_parameter_assignments: ({ rowsOf, row }) => {
      const { cycle_id, parameter_id, stage, stakeholder } = rowsOf("hpc_evaluations")[row] ?? {};
      return { cycle_id, parameter_id, stage, stakeholder } as Record<string, string>;
    },
    hpc_evidence_files: ({ values, row }) => ({
      object_path: `${values["institution_id"] ?? ""}/${values["student_id"] ?? ""}/${row}.pdf`,
      achievement_id: null,
      reflection_id: null,
    }),
  };
}

function projectReportsWithHost(): Definition {
  const access = accessOf({ schema: "project_reports", ...named("project_reports") });
  const alongside = standInHost(access);
  const { projects, users, projectMembers, monteCarloSimulations } = alongside;
  const { projectId, userId } = projectMembers;
  const simulations = [monteCarloSimulations.projectId, monteCarloSimulations.id] as const;
  return domainOver(
    { projects: projects.id, users: users.id, members: { projectId, userId }, simulations },
    access,
    { schema: "project_reports", alongside },
  ).definition;
}

/** The schema `auth` as it is on Supabase: of another role, and nothing in it for the reader or the migrator. */
async function makeAuth(server: TestServer): Promise<void> {
  const owner = ident(await server.role("auth_admin", { login: false }));
  for (const { create } of authFunctions().filter(({ kind }) => kind === "role"))
    await server.sql().unsafe(create);
  await server.sql().unsafe(`
    CREATE SCHEMA auth AUTHORIZATION ${owner};
    SET ROLE ${owner};
    GRANT USAGE ON SCHEMA auth TO anon, authenticated, service_role;
    CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$
      SELECT coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''), nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
    CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS $$
      SELECT coalesce(nullif(current_setting('request.jwt.claim', true), ''), nullif(current_setting('request.jwt.claims', true), ''))::jsonb $$;
    RESET ROLE`);
}

/** What is granted to the roles of a definition goes, so that other files may drop them. */
async function letGo(server: TestServer | undefined, { access }: Definition): Promise<void> {
  for (const { readerRole, migratorRole: migrator } of access)
    for (const role of [readerRole, migrator])
      await server?.sql().unsafe(`DROP OWNED BY ${ident(role)} CASCADE`);
}

for (const { definition, hasAuth, options, unsearchable = {} } of CASES)
  onEngines(
    `${definition.name} for Supabase`,
    (engine) => {
      const objects = hasAuth ? authFunctions() : authStandIn();
      const whole =
        engine.server !== undefined && !hasAuth
          ? definition
          : combine(definitionOf({ name: "stand_in", tables: {}, objects }), definition);
      beforeAll(async () => {
        if (engine.server !== undefined && !hasAuth) await makeAuth(engine.server);
        const report = await apply(engine.db(), planInstall(whole));
        expect(report.outcome, JSON.stringify(report)).toBe("applied");
      });
      afterAll(() => letGo(engine.server, definition));

      it("is verified and audited with nothing but what is stated", async () => {
        expect(await verify(engine.db(), whole)).toEqual([]);
        const found = await auditRls(engine.db(), { definition });
        const [schema = ""] = definition.access.map((access) => access.schema);
        expect(
          found
            // Other files make logins on the same server, and `auth` is Supabase's.
            .filter(({ object }) => !/^role |"auth"/.test(object))
            .map(({ check, object }) => `${check} ${object}`),
        ).toEqual(
          Object.keys(unsearchable).map(
            (index) => `filter_not_leakproof index ${ident(schema)}.${ident(index)}`,
          ),
        );
      });

      it("is proven to keep tenants apart, by one role whose token says the persona", async () => {
        // Each mutation is shown on one engine: the servers are asked what their own policies answer.
        const proof = await proveIsolation(engine.db(), whole, {
          ...options,
          mutate: engine.server === undefined,
        });
        expect(proof.problems).toEqual([]);
        expect(
          proof.cells.filter(({ status }) => status === "broken" || status === "vacuous"),
        ).toEqual([]);
        expect(proof.mutations.filter(({ status }) => status !== "shown")).toEqual([]);
        expect(proof.ok).toBe(true);
      });
    },
    { extensions: { pg_trgm, btree_gist } },
  );

onServers(
  "the log of progress cards for Supabase, where auth belongs to another role",
  (server) => {
    const { definition } = progressCard(named("progress_card_log"));
    beforeAll(async () => {
      await makeAuth(server);
      const report = await apply(server.sql(), planInstall(definition));
      expect(report.outcome, JSON.stringify(report)).toBe("applied");
    });
    afterAll(() => letGo(server, definition));

    const actorOf = (settings: Readonly<Record<string, string>>) =>
      server
        .sql()
        .begin(async (sql) => {
          await sql.unsafe(`SET LOCAL ROLE ${ident(migratorRole)}`);
          const [may] = await sql`select pg_catalog.has_schema_privilege('auth', 'USAGE') as usage`;
          expect(may).toEqual({ usage: false });
          for (const [name, value] of Object.entries(settings))
            await sql`select pg_catalog.set_config(${name}, ${value}, true)`;
          const institution = idOf("a", "institution");
          await sql`insert into progress_card.institutions (id, name, code) values (${institution}, 'A', 'A-1')`;
          for (const kind of ["admin", "student"] as const)
            await sql`insert into progress_card.user_profiles (institution_id, id, full_name, email, role) values (${institution}, ${idOf("a", kind)}, ${kind}, ${`${kind}@example.org`}, ${kind})`;
          await sql`insert into progress_card.hpc_parameters (institution_id, code, name, category) values (${institution}, 'P-1', 'P', 'scholastic')`;
          const [entry] =
            await sql`select actor_id from progress_card.audit_logs where table_name = 'hpc_parameters'`;
          throw Object.assign(new Error("back"), {
            actor: (entry as { actor_id: unknown }).actor_id,
          });
        })
        .catch((error: unknown) => {
          const { actor } = error as { actor?: unknown };
          if (actor === undefined) throw error;
          return actor;
        });

    it("is written by the migrator, who may not call auth.uid()", async () => {
      expect(await actorOf({})).toBeNull();
      expect(await actorOf({ "request.jwt.claims": "" })).toBeNull();
      const claims = { sub: idOf("a", "admin"), role: "service_role" };
      expect(await actorOf({ "request.jwt.claims": JSON.stringify(claims) })).toBe(claims.sub);
    });

    it("names whom the policies take the user for, and nobody that a setting of its own does", async () => {
      const claims = JSON.stringify({ sub: idOf("a", "admin") });
      expect(
        await actorOf({
          "request.jwt.claim.sub": idOf("a", "student"),
          "request.jwt.claims": claims,
        }),
      ).toBe(idOf("a", "admin"));
    });
  },
);
