import { isUnderpinError, sqlStateOf, toError, UnderpinError } from "../errors.ts";

/** What a failed connection means, and what to do: for a person who typed a URL. */
export function connectionFailure(error: unknown, shown: string): UnderpinError {
  if (isUnderpinError(error)) return error;
  const { said, hint } = explain(error);
  return new UnderpinError({
    code: "connection",
    message: `cannot connect to ${shown}: ${said}`,
    hint,
    cause: error,
  });
}

interface Explanation {
  readonly said: string;
  readonly hint: string;
}

function explain(error: unknown): Explanation {
  const message = toError(error).message;
  const state = sqlStateOf(error);
  const byState = state === undefined ? undefined : BY_STATE[state];
  if (byState !== undefined) return { said: message, hint: byState };
  for (const code of codesOf(error)) {
    const known = BY_CODE[code];
    if (known !== undefined) return known;
  }
  return {
    said: message === "" ? "the server gave no reason" : message,
    hint: "Check host, port, user and database of the URL.",
  };
}

const BY_STATE: Readonly<Record<string, string>> = {
  "28P01":
    "The password is wrong or missing: check it, and write @ : / ? # % in it as %40 %3A %2F %3F %23 %25.",
  "28000":
    "The server does not let this user in from here: check user name, sslmode and pg_hba.conf.",
  "3D000":
    "Check the last part of the URL; list the databases with: SELECT datname FROM pg_database",
  "42501": "As the database's owner: GRANT CONNECT ON DATABASE … TO this user;",
  "53300": "The server has no connection to spare: try again later, or connect through a pooler.",
  "57P03": "The server is starting up or shutting down: try again in a moment.",
  "42704":
    "The URL holds a parameter that the server does not know: take it out of what follows the question mark.",
};

const REFUSED: Explanation = {
  said: "nobody listens there (connection refused)",
  hint: "Check host and port, and that the server runs: pg_isready -h HOST -p PORT",
};

const BY_CODE: Readonly<Record<string, Explanation>> = {
  ECONNREFUSED: REFUSED,
  ENOENT: REFUSED,
  ENOTFOUND: {
    said: "the host name is not known",
    hint: "Check the host name for a typo.",
  },
  EAI_AGAIN: {
    said: "the host name could not be looked up",
    hint: "Check the host name for a typo, and that this machine has a network.",
  },
  EHOSTUNREACH: { said: "there is no way to that host", hint: "Check the host and the network." },
  CONNECT_TIMEOUT: {
    said: "the server did not answer in time",
    hint: "Check host, port and firewall; wait longer with --connect-timeout-ms.",
  },
  ETIMEDOUT: {
    said: "the server did not answer in time",
    hint: "Check host, port and firewall; wait longer with --connect-timeout-ms.",
  },
  ECONNRESET: {
    said: "the server closed the connection at once",
    hint: "Check that the port is PostgreSQL's, and sslmode.",
  },
  CONNECTION_CLOSED: {
    said: "the server closed the connection at once",
    hint: "Check that the port is PostgreSQL's, and sslmode.",
  },
};

/** The codes of an error, of its causes, and of the tries that Node makes for each address of a host. */
function codesOf(error: unknown, depth = 0): readonly string[] {
  if (typeof error !== "object" || error === null || depth > 5) return [];
  const { code, cause, errors } = error as { code?: unknown; cause?: unknown; errors?: unknown };
  return [
    ...(typeof code === "string" ? [code] : []),
    ...(Array.isArray(errors) ? errors.flatMap((one) => codesOf(one, depth + 1)) : []),
    ...codesOf(cause, depth + 1),
  ];
}
