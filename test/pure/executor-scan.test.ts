import { describe, expect, it } from "vitest";
import { refuseForPglite } from "../../src/executor/pglite-guard.ts";
import { statements, tokens } from "../../src/executor/pglite-scan.ts";

const values = (text: string) => [...tokens(text)].map(({ value }) => value);

describe("the scanner of statements", () => {
  it("leaves comments out, nested ones too", () => {
    expect(values("SELECT -- one\n 1 /* a /* b */ ; c */ + 2")).toEqual(["select", "1", "+", "2"]);
  });

  it("keeps texts and names whole, whatever is in them", () => {
    expect(values(`'it''s; --' E'\\'; ' "we""ird; " $$ ; ' $$ $a$ $$ ; $a$ U&'x'`)).toEqual([
      "it''s; --",
      "\\'; ",
      'we"ird; ',
      " ; ' ",
      " $$ ; ",
      "x",
    ]);
  });

  it("tells parameters from dollar quotes, and dollars inside of names", () => {
    expect([...tokens("$1 a$b$ $2")]).toEqual([
      { kind: "parameter", value: "1" },
      { kind: "word", value: "a$b$" },
      { kind: "parameter", value: "2" },
    ]);
  });

  it.each([
    ["", 0],
    [" ; -- x\n ; /* ; */", 0],
    ["SELECT 1", 1],
    ["SELECT ';'; SELECT 2;", 2],
    ["CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2); SELECT 3", 2],
    ["CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 3", 2],
    [
      "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END; BEGIN; END",
      3,
    ],
    ["DO $$ BEGIN PERFORM 1; END $$; SELECT 1", 2],
  ])("counts the statements of %j as the server does", (text, count) => {
    expect(statements(text)).toHaveLength(count);
  });
});

describe("the statements that PGlite must not be given", () => {
  it.each([
    "SET transaction_timeout = 5",
    "set local idle_session_timeout to '3s'",
    'SET SESSION "idle_in_transaction_session_timeout" = 100',
    "ALTER SYSTEM SET transaction_timeout = '5s'",
    "SELECT 1; /* x */ SELECT pg_catalog.set_config('Idle_Session_Timeout', '3s', false)",
    "SELECT set_config('idle_session_timeout', v, false) FROM s",
    "COPY t FROM STDIN",
    "copy t (a, b) from /* here */ stdin with (format csv)",
    "COPY t TO PROGRAM 'cat'",
    "COPY t FROM PROGRAM 'cat'",
    "SET SESSION AUTHORIZATION u",
    "SET LOCAL SESSION AUTHORIZATION DEFAULT",
    "RESET SESSION AUTHORIZATION",
    "SET session_authorization = 'u'",
    "SELECT set_config('session_authorization', 'u', true)",
    "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p",
  ])("are refused by name: %s", (text) => {
    expect(() => refuseForPglite(text, [])).toThrow(/^PGlite must not run/);
  });

  it("are found through parameters", () => {
    const text = "SELECT set_config($1::text, $2::text, false)";
    expect(() => refuseForPglite(text, ["transaction_timeout", "1s"])).toThrow("set_config ( $1");
    expect(() => refuseForPglite(text, ["transaction_timeout", "0"])).not.toThrow();
    expect(() => refuseForPglite(text, ["lock_timeout", "1s"])).not.toThrow();
  });

  it.each([
    "SET transaction_timeout = 0",
    "SET LOCAL idle_session_timeout TO '0ms'",
    "SET idle_session_timeout TO DEFAULT",
    "RESET idle_session_timeout",
    "SELECT set_config('idle_session_timeout', '0', false)",
    "SET lock_timeout = '5s'",
    "SHOW transaction_timeout",
    "SELECT 'SET transaction_timeout = 5'",
    "SELECT 1 -- ; COPY t FROM STDIN",
    "COPY (SELECT 1 FROM stdin) TO STDOUT",
    "COPY t FROM '/dev/blob'",
    "INSERT INTO notes VALUES ('copy t from stdin; create subscription s')",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "SET ROLE u",
    "SELECT session_authorization FROM copy",
    "COMMENT ON TABLE t IS $$ reset session authorization $$",
  ])("are not seen where they are not: %s", (text) => {
    expect(() => refuseForPglite(text, [])).not.toThrow();
  });

  it("do not put a secret into the message", () => {
    const text = "CREATE SUBSCRIPTION s CONNECTION 'password=secret' PUBLICATION p";
    expect(() => refuseForPglite(text, [])).toThrow(/^(?!.*secret)/);
  });
});
