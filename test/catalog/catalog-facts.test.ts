// Long because: one database is read once, and every kind of fact is looked at in that reading.
import { beforeAll, expect, it } from "vitest";
import { factsOf, readFacts, type Facts } from "../../src/catalog/read-facts.ts";
import { toExecutor } from "../../src/executor/connect.ts";
import type { Executor, Queryable } from "../../src/executor/executor.ts";
import { ident } from "../../src/sql/quote.ts";
import { C, catalogFixture, COLUMN, S, SCHEMA, T, TABLE } from "../support/catalog-fixture.ts";
import { onEngines } from "../support/server.ts";

onEngines("facts", (engine) => {
  let db: Executor;
  let facts: Facts;
  let reader: string;
  const table = { schema: SCHEMA, table: TABLE };

  beforeAll(async () => {
    db = toExecutor(engine.server === undefined ? engine.db() : engine.server.connect({ max: 1 }));
    reader = engine.server === undefined ? `re"ader` : await engine.server.role(`re"ader`);
    if (engine.server === undefined) await db.query(`CREATE ROLE ${ident(reader)}`);
    await db.query(catalogFixture(reader));
    facts = await readFacts(db, { schemas: [SCHEMA] });
  });

  const one = <F extends object>(list: readonly F[], wanted: Partial<F>): F => {
    const found = list.filter((fact) =>
      Object.entries(wanted).every(([key, value]) => fact[key as keyof F] === value),
    );
    expect(found, JSON.stringify(wanted)).toHaveLength(1);
    return found[0] as F;
  };

  it("say where they were read", () => {
    expect(facts.server.major).toBe(engine.major);
    expect(Math.floor(facts.server.version / 10000)).toBe(engine.major);
    expect(facts.server).toMatchObject({ superuser: true, inRecovery: false });
    expect(facts.schemas).toEqual([
      { name: SCHEMA, owner: facts.server.currentUser, comment: "the schema" },
    ]);
  });

  it("hold tables", () => {
    expect(one(facts.tables, { name: TABLE })).toMatchObject({
      schema: SCHEMA,
      kind: "table",
      owner: facts.server.currentUser,
      persistence: "permanent",
      rowSecurity: true,
      forceRowSecurity: true,
      replicaIdentity: "default",
      options: ["fillfactor=80", "toast.autovacuum_enabled=false"],
      accessMethod: "heap",
      rowEstimate: null,
      bytes: 8192,
      columnSlots: 7,
      comment: "the table",
      extension: null,
    });
    expect(one(facts.tables, { name: "events" }).kind).toBe("partitionedTable");
  });

  it("hold columns", () => {
    const columns = facts.columns.filter((column) => column.table === TABLE);
    expect(columns.map(({ name, type }) => [name, type])).toEqual([
      ["id", "bigint"],
      [COLUMN, "text"],
      ["parent_id", "bigint"],
      ["size", `${S}.positive`],
      ["feeling", `${S}.mood`],
      ["twice", "integer"],
      ["made", "timestamp with time zone"],
    ]);
    expect(one(columns, { name: COLUMN })).toEqual({
      ...table,
      name: COLUMN,
      number: 2,
      position: 2,
      type: "text",
      notNull: false,
      default: "'it''s'::text",
      generated: null,
      identity: null,
      collation: 'pg_catalog."C"',
      storage: "extended",
      compression: null,
      statisticsTarget: 50,
      options: [],
      local: true,
      inheritCount: 0,
      comment: "the column",
    });
    expect(one(columns, { name: "twice" })).toMatchObject({
      default: null,
      generated: { kind: "stored", expression: "(id * 2)" },
    });
    expect(one(facts.columns, { table: "parents", name: "id" }).identity).toBe("always");
    expect(one(facts.columns, { table: "derived", name: "a" })).toMatchObject({
      local: false,
      inheritCount: 1,
    });
    expect(one(facts.columns, { table: "seen", name: "one" }).type).toBe("integer");
  });

  it("rank columns among the live, whatever was dropped before them", async () => {
    await db.transaction(async (transaction) => {
      await transaction.query(`CREATE TABLE ${S}.holes (a int, b int, c int)`);
      await transaction.query(`ALTER TABLE ${S}.holes DROP b`);
      const { columns, tables } = await factsOf(transaction, { schemas: [SCHEMA] });
      expect(one(columns, { table: "holes", name: "c" })).toMatchObject({ number: 3, position: 2 });
      expect(one(tables, { name: "holes" }).columnSlots).toBe(3);
      await transaction.query(`DROP TABLE ${S}.holes`);
    });
  });

  it("hold constraints", () => {
    expect(one(facts.constraints, { name: "to_parent" })).toEqual({
      ...table,
      name: "to_parent",
      kind: "foreignKey",
      definition: `FOREIGN KEY (parent_id) REFERENCES ${S}.parents(id) ON DELETE CASCADE DEFERRABLE`,
      columns: ["parent_id"],
      expression: null,
      validated: true,
      enforced: true,
      deferrable: true,
      initiallyDeferred: false,
      noInherit: true,
      local: true,
      inheritCount: 0,
      parent: null,
      references: {
        schema: SCHEMA,
        name: "parents",
        columns: ["id"],
        onUpdate: "noAction",
        onDelete: "cascade",
        match: "simple",
        setColumns: [],
      },
      index: { schema: SCHEMA, name: "parents_pkey" },
      triggerStates: ["O"],
      comment: null,
    });
    expect(one(facts.constraints, { name: "small" })).toMatchObject({
      kind: "check",
      columns: ["size"],
      expression: "((size)::integer < 1000)",
    });
    expect(one(facts.constraints, { name: "events_1_pkey" })).toMatchObject({
      kind: "primaryKey",
      columns: ["site", "day"],
      parent: { schema: SCHEMA, table: "events", name: "events_pkey" },
      index: { schema: SCHEMA, name: "events_1_pkey" },
    });
    const notNulls = facts.constraints.filter(({ kind }) => kind === "notNull");
    expect(notNulls.some(({ columns }) => columns[0] === "made")).toBe(engine.major >= 18);
  });

  it("hold indexes", () => {
    expect(one(facts.indexes, { name: "by_col" })).toMatchObject({
      ...table,
      method: "btree",
      unique: false,
      valid: true,
      ready: true,
      live: true,
      keys: [
        {
          column: COLUMN,
          definition: COLUMN,
          operatorClass: "pg_catalog.text_pattern_ops",
          collation: 'pg_catalog."C"',
          descending: true,
          nullsFirst: true,
          statisticsTarget: null,
        },
        { column: null, definition: `lower(${C})`, operatorClass: "pg_catalog.text_ops" },
      ],
      include: ["size"],
      predicate: "((size)::integer > 1)",
      parent: null,
      constraint: null,
      bytes: 8192,
    });
    expect(one(facts.indexes, { name: "by_made" }).nullsNotDistinct).toBe(true);
    expect(one(facts.indexes, { name: "table_pkey" })).toMatchObject({
      primary: true,
      constraint: "table_pkey",
    });
    expect(one(facts.indexes, { table: "events_2", name: "events_2_note_idx" }).parent).toEqual({
      schema: SCHEMA,
      name: "events_note",
    });
    expect(one(facts.indexes, { table: "counted" }).name).toBe("counted_key");
  });

  it("hold sequences and their owners", () => {
    expect(one(facts.sequences, { name: "loose" })).toMatchObject({
      type: "bigint",
      increment: "5",
      maximum: "9223372036854775807",
      ownedBy: null,
      lastValue: null,
    });
    expect(one(facts.sequences, { name: `${TABLE}_id_seq` }).ownedBy).toEqual({
      ...table,
      column: "id",
      as: "serial",
    });
    expect(one(facts.sequences, { name: "parents_id_seq" }).ownedBy?.as).toBe("identity");
  });

  it("hold triggers and rules, but not the triggers of foreign keys", () => {
    expect(facts.triggers.filter((trigger) => trigger.table === TABLE)).toEqual([
      {
        ...table,
        name: "touched",
        enabled: "origin",
        timing: "before",
        level: "row",
        events: ["insert", "update"],
        function: { schema: SCHEMA, name: "touch" },
        definition: `CREATE TRIGGER touched BEFORE INSERT OR UPDATE OF ${C} ON ${T} FOR EACH ROW WHEN ((new.id > 0)) EXECUTE FUNCTION ${S}.touch()`,
        parent: null,
        comment: null,
      },
    ]);
    expect(one(facts.triggers, { table: "events_1_a" }).parent).toEqual({
      schema: SCHEMA,
      table: "events_1",
      name: "events_touched",
    });
    expect(facts.rules).toMatchObject([{ table: "parents", name: "quiet", enabled: "origin" }]);
  });

  it("hold functions, procedures and aggregates", () => {
    expect(one(facts.functions, { name: "touch" })).toMatchObject({
      kind: "function",
      signature: "",
      returns: "trigger",
      language: "plpgsql",
      volatility: "volatile",
      securityDefiner: false,
      config: ["search_path=pg_catalog"],
    });
    expect(one(facts.functions, { name: "add_one", signature: "integer" })).toMatchObject({
      arguments: "a integer DEFAULT 1",
      volatility: "immutable",
    });
    expect(one(facts.functions, { name: "add_one", signature: "text" }).definition).toContain(
      "SELECT a",
    );
    expect(one(facts.functions, { name: "nothing" })).toMatchObject({
      kind: "procedure",
      returns: null,
    });
    expect(one(facts.functions, { name: "total" })).toMatchObject({
      kind: "aggregate",
      definition: null,
      aggregate: { transition: "int4pl", state: "integer", initial: "0" },
    });
  });

  it("hold views and what they depend on", () => {
    expect(one(facts.views, { name: "seen" })).toMatchObject({
      kind: "view",
      options: ["security_invoker=true"],
    });
    expect(one(facts.views, { name: "counted" })).toMatchObject({
      kind: "materializedView",
      populated: true,
    });
    const seen = facts.dependencies.filter(({ dependent }) => dependent.name === "seen");
    expect(seen.map(({ on }) => on)).toEqual([
      { kind: "function", schema: SCHEMA, name: "add_one", detail: "integer" },
      { kind: "column", schema: SCHEMA, name: TABLE, detail: COLUMN },
      { kind: "column", schema: SCHEMA, name: TABLE, detail: "id" },
    ]);
    const ofColumn = facts.dependencies.filter(
      ({ on }) => on.kind === "column" && on.name === TABLE && on.detail === "id",
    );
    expect(ofColumn.map(({ dependent }) => `${dependent.kind} ${dependent.detail}`)).toEqual([
      "view null",
      "column twice",
      "policy mine",
      "trigger touched",
    ]);
  });

  it("hold policies", () => {
    expect(facts.policies).toEqual([
      {
        ...table,
        name: "all_of_us",
        permissive: false,
        command: "all",
        roles: ["public"],
        using: "true",
        check: null,
        comment: null,
      },
      {
        ...table,
        name: "mine",
        permissive: true,
        command: "update",
        roles: [reader],
        using: "(id > 1)",
        check: "(id > 2)",
        comment: null,
      },
    ]);
  });

  it("hold grants with their defaults written out", () => {
    const of = (wanted: Partial<Facts["grants"][number]>) => one(facts.grants, wanted);
    const owner = facts.server.currentUser;
    expect(of({ on: "relation", name: TABLE, grantee: reader })).toEqual({
      on: "relation",
      schema: SCHEMA,
      name: TABLE,
      detail: null,
      grantee: reader,
      grantor: owner,
      privileges: ["SELECT"],
      grantable: ["SELECT"],
    });
    expect(of({ on: "relation", name: "base" }).privileges).toEqual([
      "DELETE",
      "INSERT",
      ...(engine.major >= 17 ? ["MAINTAIN"] : []),
      "REFERENCES",
      "SELECT",
      "TRIGGER",
      "TRUNCATE",
      "UPDATE",
    ]);
    expect(of({ on: "column", name: TABLE }).detail).toBe(COLUMN);
    expect(of({ on: "schema", grantee: reader }).privileges).toEqual(["USAGE"]);
    expect(of({ on: "sequence", name: "loose" }).grantee).toBe(owner);
    expect(of({ on: "function", name: "touch", grantee: "public" }).privileges).toEqual([
      "EXECUTE",
    ]);
    expect(of({ on: "type", name: "mood", grantee: "public" }).privileges).toEqual(["USAGE"]);
    expect(of({ on: "relation", name: "parents", grantee: "public" }).grantable).toEqual([]);
    expect(facts.defaultPrivileges).toEqual([
      {
        role: owner,
        schema: SCHEMA,
        on: "relation",
        grantee: reader,
        grantor: owner,
        privileges: ["SELECT"],
        grantable: [],
      },
    ]);
  });

  it("hold partitions with their bounds, down to the leaves", () => {
    expect(
      facts.partitions.map(({ name, level, bound, isDefault, key }) => [
        name,
        level,
        bound,
        isDefault,
        key?.definition,
      ]),
    ).toEqual([
      ["events", 0, null, false, "LIST (site)"],
      ["events_1", 1, "FOR VALUES IN (1)", false, "RANGE (day)"],
      ["events_2", 1, "FOR VALUES IN (2)", false, undefined],
      ["events_rest", 1, "DEFAULT", true, undefined],
      ["events_1_a", 2, "FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')", false, undefined],
    ]);
    expect(one(facts.partitions, { name: "events_1_a" })).toMatchObject({
      parent: { schema: SCHEMA, name: "events_1" },
      root: { schema: SCHEMA, name: "events" },
    });
    expect(one(facts.partitions, { name: "events_1" }).key).toEqual({
      strategy: "range",
      definition: "RANGE (day)",
      columns: ["day"],
    });
    expect(facts.inheritance).toEqual([
      { schema: SCHEMA, name: "derived", parent: { schema: SCHEMA, name: "base" }, rank: 1 },
    ]);
  });

  it("hold publications, extensions and types", () => {
    expect(facts.publications).toMatchObject([
      {
        name: 'pu"b',
        insert: true,
        update: false,
        tables: [{ schema: SCHEMA, name: TABLE, columns: [COLUMN, "id"], where: "(id > 5)" }],
        schemas: [],
      },
    ]);
    expect(facts.extensions).toMatchObject([{ name: "plpgsql", schema: "pg_catalog" }]);
    expect(one(facts.types, { name: "mood" }).labels).toEqual(["sad", "ok"]);
    expect(one(facts.types, { name: "positive" }).domain).toEqual({
      type: "integer",
      notNull: false,
      default: "1",
      collation: null,
      constraints: [
        { name: "above_zero", definition: "CHECK ((VALUE > 0))", validated: true, comment: null },
      ],
    });
    expect(one(facts.types, { name: "pair" }).attributes).toMatchObject([
      { name: "a", type: "integer", collation: null },
      { name: "b", type: "text", collation: 'pg_catalog."C"' },
    ]);
    expect(one(facts.types, { name: "span" }).range).toMatchObject({ subtype: "double precision" });
    expect(facts.types).toHaveLength(4);
  });

  it("name what no reader understands", async () => {
    expect(facts.unread).toEqual([
      { kind: "collation", schema: SCHEMA, name: `${S}.plain` },
      { kind: "operator", schema: SCHEMA, name: `${S}.===(integer,integer)` },
      { kind: "statistics object", schema: SCHEMA, name: `${S}.related` },
    ]);
    await db.transaction(async (transaction) => {
      await transaction.query(`
        CREATE FUNCTION ${S}.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
        CREATE EVENT TRIGGER "watch""er" ON ddl_command_end EXECUTE FUNCTION ${S}.on_ddl();
        CREATE FOREIGN DATA WRAPPER far; CREATE SERVER away FOREIGN DATA WRAPPER far;
        CREATE FOREIGN TABLE ${S}.abroad (a int) SERVER away;
        CREATE TEXT SEARCH CONFIGURATION ${S}.words (COPY = pg_catalog.simple);
        CREATE CAST (${S}.mood AS ${S}.positive) WITH INOUT;
        CREATE TYPE ${S}.shell`);
      const { unread } = await factsOf(transaction, { schemas: [SCHEMA] });
      expect(unread.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
        `cast (${S}.mood AS ${S}.positive)`,
        `collation ${S}.plain`,
        `event trigger "watch""er"`,
        `foreign table ${S}.abroad`,
        "foreign-data wrapper far",
        `operator ${S}.===(integer,integer)`,
        "server away",
        `statistics object ${S}.related`,
        `text search configuration ${S}.words`,
        `type ${S}.shell`,
      ]);
      await transaction.query(
        `DROP FOREIGN DATA WRAPPER far CASCADE; DROP EVENT TRIGGER "watch""er"; DROP FUNCTION ${S}.on_ddl;
         DROP TEXT SEARCH CONFIGURATION ${S}.words; DROP CAST (${S}.mood AS ${S}.positive); DROP TYPE ${S}.shell`,
      );
    });
  });

  it("hold the roles that are mentioned, with what they are in", async () => {
    expect(facts.roles.find(({ name }) => name === reader)).toMatchObject({
      superuser: false,
      memberOf: [],
      current: false,
    });
    await db.transaction(async (transaction) => {
      const group = ident(`${reader} group`);
      await transaction.query(
        `CREATE ROLE ${group}; GRANT ${group} TO ${ident(reader)} WITH ADMIN OPTION`,
      );
      const { roles } = await factsOf(transaction, { schemas: [SCHEMA] });
      expect(roles.find(({ name }) => name === reader)?.memberOf).toEqual([
        {
          role: `${reader} group`,
          admin: true,
          inherit: true,
          set: true,
          grantedBy: roles.filter(({ current }) => current).map(({ name }) => name),
        },
      ]);
      await transaction.query(`DROP ROLE ${group}`);
    });
  });

  it("cover all schemas of users unless told otherwise", async () => {
    const all = await readFacts(db);
    expect(all.schemas.map(({ name }) => name)).toEqual(["public", SCHEMA]);
    const none = await readFacts(db, { schemas: ["public"] });
    expect(none.schemas.map(({ name }) => name)).toEqual(["public"]);
    expect(none.tables).toEqual([]);
    expect(none.columns).toEqual([]);
    expect(none.grants.filter(({ schema }) => schema !== "public")).toEqual([]);
  });

  it("are read in one statement, however much there is", async () => {
    const texts: string[] = [];
    const counted: Queryable = {
      query: (text, parameters) => {
        texts.push(text);
        return db.query(text, parameters);
      },
    };
    expect((await factsOf(counted, { schemas: [SCHEMA] })).tables).toEqual(facts.tables);
    expect(texts).toHaveLength(1);
  });

  it("do not depend on the settings of the session, and leave those of a transaction alone", async () => {
    await db.transaction(async (transaction) => {
      const settings = {
        search_path: `${S}, public`,
        DateStyle: "German, DMY",
        TimeZone: "Asia/Tokyo",
        quote_all_identifiers: "on",
        lock_timeout: "7s",
      };
      for (const [name, value] of Object.entries(settings))
        await transaction.query("SELECT set_config($1, $2, true)", [name, value]);
      const again = await factsOf(transaction, { schemas: [SCHEMA] });
      expect({ ...again, locks: [] }).toEqual({ ...facts, locks: [] });
      for (const [name, value] of Object.entries(settings)) {
        const [row] = await transaction.query("SELECT current_setting($1) AS is", [name]);
        expect(row?.is, name).toBe(value);
      }
    });
  });
});
