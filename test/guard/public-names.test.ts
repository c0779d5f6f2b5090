// Long because: one list of every name that users may import.
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { exportedNames } from "./exports.ts";
import { readSources } from "./source.ts";

const entries = readSources("src").filter(({ path }) => /(?:^|\/)index\.ts$/.test(path));

function namesOf(path: string): string[] {
  const entry = entries.find((found) => found.path === path);
  if (entry === undefined) throw new Error(`there is no ${path}`);
  return exportedNames(entry).names;
}

/** A name that is taken away or added here is a change of the public API: `npx vitest run test/guard -u`. */
describe("the public names", () => {
  it("of underpin are these", () => {
    expect(namesOf("src/index.ts")).toMatchInlineSnapshot(`
      [
        "DEFAULT_RUN_OPTIONS",
        "LOCK_MODES",
        "UnderpinError",
        "apply",
        "canonical",
        "combine",
        "compareCatalogs",
        "confirm",
        "contentHash",
        "databaseObject",
        "defineDatabase",
        "explain",
        "hashPlan",
        "isUnderpinError",
        "pause",
        "pgComment",
        "pgDeferrable",
        "pgDomain",
        "pgExclusion",
        "pgExtension",
        "pgForceRowSecurity",
        "pgFunction",
        "pgFunctionGrant",
        "pgGrant",
        "pgGroupRole",
        "pgMaterializedViewIndex",
        "pgRefreshSchedule",
        "pgSchemaGrant",
        "pgTrigger",
        "phaseOf",
        "plan",
        "planInstall",
        "planUninstall",
        "readFacts",
        "readLocks",
        "resume",
        "reverse",
        "runs",
        "segment",
        "snapshot",
        "toExecutor",
        "type BackfillStep",
        "type Blocker",
        "type CallStep",
        "type Canonical",
        "type CanonicalOptions",
        "type CheckStep",
        "type CommentOptions",
        "type ControlOptions",
        "type DatabaseLike",
        "type DatabaseObject",
        "type DeferrableOptions",
        "type Definition",
        "type DefinitionOptions",
        "type Difference",
        "type DomainOptions",
        "type ErrorCode",
        "type ErrorDetails",
        "type ExclusionElement",
        "type ExclusionOptions",
        "type Executor",
        "type ExplainOptions",
        "type ExtensionOptions",
        "type Facts",
        "type Failure",
        "type Finding",
        "type Findings",
        "type FunctionArgument",
        "type FunctionObject",
        "type FunctionOptions",
        "type GateStep",
        "type Handler",
        "type HandlerContext",
        "type Json",
        "type KeyColumn",
        "type Lock",
        "type LockMode",
        "type MaterializedViewIndexOptions",
        "type ObjectKind",
        "type ObjectParts",
        "type Observer",
        "type Outcome",
        "type Parameter",
        "type Plan",
        "type Probe",
        "type Queryable",
        "type ReadOptions",
        "type RefreshSchedule",
        "type RefreshScheduleOptions",
        "type RelationName",
        "type Report",
        "type Requirements",
        "type Row",
        "type RowAccess",
        "type RunEvent",
        "type RunOptions",
        "type RunStatus",
        "type Seed",
        "type Segment",
        "type ServerRange",
        "type Session",
        "type Severity",
        "type Snapshot",
        "type SqlStep",
        "type Statement",
        "type Step",
        "type StepReport",
        "type TableGrantOptions",
        "type TablePrivilege",
        "type TransactionRule",
        "type TriggerEvent",
        "type TriggerOptions",
        "type Undo",
        "type UndoOptions",
        "type VerifyOptions",
        "undo",
        "verify",
      ]
    `);
  });

  it("of underpin/migrations are these", () => {
    expect(namesOf("src/migrations/index.ts")).toMatchInlineSnapshot(`
      [
        "addForeignKey",
        "createIndex",
        "setNotNull",
        "type AddForeignKeyOptions",
        "type CreateIndexOptions",
        "type DrizzleColumn",
        "type DrizzleTable",
        "type ForeignKeyAction",
        "type IndexPart",
        "type SetNotNullOptions",
        "type TableTarget",
      ]
    `);
  });

  it("of underpin/testing are these", () => {
    expect(namesOf("src/testing/index.ts")).toMatchInlineSnapshot(`
      [
        "asPersona",
        "createTestDatabase",
        "expectLocks",
        "expectReversible",
        "type ExpectLocksOptions",
        "type ExpectReversibleOptions",
        "type MeasuredLock",
        "type MeasuredStep",
        "type TestDatabase",
        "type TestDatabaseOptions",
      ]
    `);
  });

  it("of underpin/partitioning are these", () => {
    expect(namesOf("src/partitioning/index.ts")).toMatchInlineSnapshot(`
      [
        "hash",
        "list",
        "partitionBy",
        "range",
        "schemeObjects",
        "type RangeOptions",
      ]
    `);
  });

  it("of underpin/report are these", () => {
    expect(namesOf("src/report/index.ts")).toMatchInlineSnapshot(`
      [
        "reportSchema",
      ]
    `);
  });

  it("of underpin/rls are these", () => {
    expect(namesOf("src/rls/index.ts")).toMatchInlineSnapshot(`
      [
        "APPEND_ONLY_SETTING",
        "CHECKS",
        "CONTEXT_CONSTRAINTS",
        "accessMatrix",
        "among",
        "anyOf",
        "assertSafeLogin",
        "assigned",
        "auditRls",
        "authStandIn",
        "childrenOf",
        "custom",
        "defineAccess",
        "everyone",
        "findingsJson",
        "findingsSarif",
        "findingsText",
        "ids",
        "none",
        "objectsFor",
        "own",
        "proofHtml",
        "proofJson",
        "proofJunit",
        "proofMarkdown",
        "proveIsolation",
        "renderMatrix",
        "rowsText",
        "tenant",
        "type Accepted",
        "type Access",
        "type AccessCell",
        "type AccessMatrix",
        "type AccessOptions",
        "type AuditOptions",
        "type Cell",
        "type CheckId",
        "type Id",
        "type Ids",
        "type LookupBodies",
        "type Me",
        "type MutationResult",
        "type MutationScore",
        "type Proof",
        "type ProofOptions",
        "type RowClassOf",
        "type RulesOf",
        "type SafeLoginOptions",
        "type TenantContext",
        "type TenantDatabase",
        "type TenantTransaction",
        "type WithTenantOptions",
        "withTenant",
      ]
    `);
  });

  it("of underpin/schema/observations are these", () => {
    expect(namesOf("src/schema/observations/index.ts")).toMatchInlineSnapshot(`
      [
        "COMPANY_STATUSES",
        "GROWTH_STAGES",
        "OBSERVATION_KINDS",
        "PLACEMENTS",
        "PLACEMENT_HEIGHTS",
        "PROGRAM_STATUSES",
        "ROLES",
        "SITE_KINDS",
        "SUBMISSION_STATUSES",
        "access",
        "companies",
        "dailyMetrics",
        "definition",
        "gasifierObservations",
        "managementSchema",
        "mvDailyMetrics",
        "observationLocator",
        "observations",
        "observationsSchema",
        "partitionStats",
        "petriObservations",
        "petriObservationsBySubmission",
        "pilotPrograms",
        "provisionRequests",
        "schemes",
        "sites",
        "submissions",
        "type ObservationsOptions",
        "users",
      ]
    `);
  });

  it("of underpin/schema/progress-card are these", () => {
    expect(namesOf("src/schema/progress-card/index.ts")).toMatchInlineSnapshot(`
      [
        "AUDIT_REASON_SETTING",
        "EVIDENCE_CONTENT_TYPES",
        "MAX_EVIDENCE_BYTES",
        "USER_ROLES",
        "academicTerms",
        "access",
        "auditLogs",
        "courseStudents",
        "courseTeachers",
        "courses",
        "definition",
        "hpcAchievementCategory",
        "hpcAchievements",
        "hpcAnalytics",
        "hpcApprovalStatus",
        "hpcApprovalWorkflows",
        "hpcCycleStatus",
        "hpcEvaluationCycles",
        "hpcEvaluationStatus",
        "hpcEvaluations",
        "hpcEvidenceFiles",
        "hpcParameterAssignments",
        "hpcParameterCategory",
        "hpcParameters",
        "hpcReflections",
        "hpcReports",
        "hpcRubrics",
        "hpcStage",
        "hpcStakeholder",
        "hpcStudentSummary",
        "hpcWeightedScores",
        "institutions",
        "legalTransitions",
        "mvHpcStudentSummary",
        "progressCard",
        "progressCardSchema",
        "reviewerStatuses",
        "type AccountColumn",
        "type ApprovalStatus",
        "type HpcContext",
        "type ProgressCardOptions",
        "type RubricLevel",
        "userProfiles",
      ]
    `);
  });

  it("of underpin/schema/project-reports are these", () => {
    expect(namesOf("src/schema/project-reports/index.ts")).toMatchInlineSnapshot(`
      [
        "CONFLICT_STRATEGIES",
        "access",
        "activeCollaborationSessions",
        "activeEditSessions",
        "aiInsightCategory",
        "aiInsightPriority",
        "aiInsightType",
        "aiInsights",
        "aiInsightsPerformance",
        "authSchema",
        "authUsersStandIn",
        "authUsersTable",
        "changeEventType",
        "collaborationActionType",
        "collaborationSessions",
        "definition",
        "distributionMethod",
        "distributionStatus",
        "editSessions",
        "exportFormat",
        "exportJobStatus",
        "exportJobs",
        "exportJobsStatus",
        "legalTransitions",
        "monteCarloSimulations",
        "participantRole",
        "pmrChangeEvents",
        "pmrCollaboration",
        "pmrComments",
        "pmrDashboardSummary",
        "pmrDistributionLog",
        "pmrReports",
        "pmrStatus",
        "pmrTemplateAnalytics",
        "pmrTemplateType",
        "pmrTemplates",
        "projectMembers",
        "projectReports",
        "projectReportsHostSchema",
        "projectReportsSchema",
        "projects",
        "reportCollaborationActivity",
        "sessionType",
        "type AuditEntry",
        "type ConflictStrategy",
        "type IfUuid",
        "type JsonObject",
        "type Participant",
        "type ProjectReportsOptions",
        "type Section",
        "type SimulationKey",
        "type Transitions",
        "type UuidColumn",
        "users",
        "validationStatus",
      ]
    `);
  });

  it("of underpin/schema/reporting are these", () => {
    expect(namesOf("src/schema/reporting/index.ts")).toMatchInlineSnapshot(`
      [
        "AUDIT_ACTIONS",
        "EXECUTION_STATUSES",
        "FIELD_TYPES",
        "LOG_LEVELS",
        "OUTPUT_FORMATS",
        "REPORT_STATUSES",
        "RESOURCE_TYPES",
        "SHARE_PERMISSIONS",
        "SUBSCRIPTION_TIERS",
        "TEMPLATE_TYPES",
        "USER_ROLES",
        "access",
        "auditLogs",
        "definition",
        "executionLogs",
        "executionStatistics",
        "hasProcessingReports",
        "indexUsage",
        "keyset",
        "organizations",
        "reportExecutions",
        "reportPage",
        "reportShares",
        "reporting",
        "reportingSchema",
        "reports",
        "reportsWithParameters",
        "schemes",
        "templateFields",
        "templates",
        "type Direction",
        "type ExecutionStatistics",
        "type IndexUsage",
        "type KeyedRow",
        "type KeysetOptions",
        "type KeysetPage",
        "type Reader",
        "type ReportPageOptions",
        "type ReportingOptions",
        "userSessions",
        "users",
      ]
    `);
  });

  it("of underpin/schema/test-cycles are these", () => {
    expect(namesOf("src/schema/test-cycles/index.ts")).toMatchInlineSnapshot(`
      [
        "ENTITY_TYPES",
        "PHASES",
        "TRANSITIONS",
        "access",
        "activeSessions",
        "activeWorkflows",
        "auditAction",
        "auditLogs",
        "cycleReportPlanningAttributes",
        "cycleReportProgress",
        "cycleReportScopingAttributes",
        "cycleReportStatus",
        "cycleReports",
        "cycleStatus",
        "cycles",
        "dataProfiles",
        "definition",
        "duplicateEmails",
        "llmAuditLogs",
        "lobs",
        "observationSeverity",
        "observationStatus",
        "observations",
        "permissions",
        "phaseName",
        "phaseStatus",
        "reports",
        "requestStatus",
        "requestsForInformation",
        "rolePermissions",
        "roles",
        "sampleCategory",
        "sampleStatus",
        "samples",
        "scopingDecision",
        "testCycles",
        "testCyclesSchema",
        "testExecutions",
        "testResult",
        "type ActiveSession",
        "type ActiveWorkflow",
        "type DuplicateEmail",
        "type EntityType",
        "type KeyKind",
        "type ReadinessDatabase",
        "type SessionOptions",
        "type TestCycles",
        "type TestCyclesOptions",
        "type Transitions",
        "type UserMigrationReadiness",
        "userMigrationReadiness",
        "userPermissions",
        "userRoles",
        "users",
        "workflowPhases",
      ]
    `);
  });

  it("are named one by one, and defined elsewhere", () => {
    expect(entries.flatMap((entry) => exportedNames(entry).faults)).toEqual([]);
  });

  it("are all reached by a subpath of the package", () => {
    const subpaths = Object.keys(manifest.exports).map((path) => path.slice(2));
    const sources = subpaths
      .filter((path) => path !== "package.json")
      // The schemas of a domain are a file beside its index, so that only who asks for them loads zod; so are its relations, which
      // the next Drizzle has elsewhere.
      .map((path) =>
        /\/(?:validation|relations)$/.test(path)
          ? `src/${path}.ts`
          : ["src", path, "index.ts"].filter((part) => part !== "").join("/"),
      );
    const indexes = sources.filter((path) => path.endsWith("/index.ts"));
    expect(indexes.sort()).toEqual(entries.map(({ path }) => path).sort());
    expect(sources.filter((path) => !existsSync(path))).toEqual([]);
  });

  it("cannot hide behind export *, nor be defined in the entry", () => {
    const entry = { path: "src/index.ts", text: `export * from "./a.ts";\nexport const b = 1;` };
    expect(exportedNames(entry).faults).toHaveLength(2);
  });
});
