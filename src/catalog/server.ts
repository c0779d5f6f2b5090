import { plainReader } from "./reader.ts";

/** Where and as whom the facts were read. */
export interface ServerFact {
  /** `server_version_num`: 180004 for 18.4. */
  readonly version: number;
  readonly major: number;
  readonly database: string;
  readonly currentUser: string;
  readonly sessionUser: string;
  readonly superuser: boolean;
  /** A standby, or a primary that is recovering: it takes no writes. */
  readonly inRecovery: boolean;
}

/** One row about the server and the session. */
export const server = plainReader<ServerFact>(
  `select v.number as version, v.number / 10000 as major, pg_catalog.current_database() as database,
     current_user as "currentUser", session_user as "sessionUser",
     (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = current_user) as superuser,
     pg_catalog.pg_is_in_recovery() as "inRecovery"
   from (select pg_catalog.current_setting('server_version_num')::int as number) as v`,
);
