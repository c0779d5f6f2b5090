import { existsSync, readdirSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { misuse, nearest } from "./misuse.ts";
import type { UnderpinError } from "../errors.ts";

/** Which database a URL names. `shown` holds no password and is fit for messages. */
export type Target =
  | { readonly kind: "server"; readonly url: string; readonly shown: string }
  | { readonly kind: "directory"; readonly path: string; readonly shown: string }
  | { readonly kind: "memory"; readonly shown: string };

const FORMS = "postgres://user@host:5432/database, pglite:./directory or memory:";

/** Reads the URL of a database. A URL that cannot be read is never printed: its password cannot be told from the rest. */
export function parseConnectionUrl(text: string, source: string): Target {
  const url = text.trim();
  if (url === "") throw misuse(`${source} is empty`, `Write ${FORMS}`);
  if (url === "memory:" || url === "memory://") return { kind: "memory", shown: "memory:" };
  if (url.startsWith("pglite:"))
    return directory(url.slice("pglite:".length).replace(/^\/\/(?=\.|\/)/, ""), source);
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme !== "postgres" && scheme !== "postgresql") throw unknownScheme(scheme, source);
  if (!/^[a-z]+:\/\//i.test(url))
    throw misuse(
      `${source} has "${scheme}:" without the two slashes after it`,
      "Write postgres://user@host:5432/database",
    );
  return server(url, source);
}

function server(url: string, source: string): Target {
  let parsed: URL;
  try {
    parsed = new URL(url);
    // A stray % is no escape, and the drivers decode these parts.
    for (const part of [parsed.username, parsed.password, parsed.pathname])
      decodeURIComponent(part);
    // A raw # / or ? ends what comes before it: then the tail of a password stands where a path should be.
    if (parsed.hash !== "" || `${parsed.pathname}${parsed.search}`.includes("@"))
      throw new Error("a part of the password is outside of it");
  } catch {
    throw misuse(
      `${source} is not a URL that can be read (it is not printed: it may hold a password)`,
      "Write postgres://user:password@host:5432/database, with @ : / ? # % in the password as %40 %3A %2F %3F %23 %25.",
    );
  }
  const user = parsed.username === "" ? "" : `${decodeURIComponent(parsed.username)}@`;
  return {
    kind: "server",
    url,
    shown: `postgres://${user}${parsed.host}${decodeURIComponent(parsed.pathname)}`,
  };
}

function directory(path: string, source: string): Target {
  if (path === "")
    throw misuse(`${source} names no directory`, "Write pglite:./directory, or memory: for none.");
  const absolute = resolve(path);
  const make = `If it is to be a new database: mkdir -p ${JSON.stringify(path)}`;
  if (!existsSync(absolute)) throw misuse(`there is no directory ${path}`, make);
  if (!statSync(absolute).isDirectory())
    throw misuse(`${path} is not a directory`, "A PGlite database is a directory.");
  const entries = readdirSync(absolute).filter((name) => !name.startsWith("."));
  if (entries.length > 0 && !entries.includes("PG_VERSION"))
    throw misuse(
      `${path} is no PGlite database: it has other files and no PG_VERSION`,
      "Name the data directory itself, or an empty one.",
    );
  return { kind: "directory", path: absolute, shown: `pglite:${path}` };
}

function unknownScheme(scheme: string | undefined, source: string): UnderpinError {
  const meant = scheme && nearest(scheme, ["postgres", "postgresql", "pglite", "memory"]);
  return misuse(
    scheme === undefined
      ? `${source} is not a database URL`
      : `${source} begins with "${scheme}:", which is not a database that underpin knows`,
    meant === undefined || meant === ""
      ? `Write ${FORMS}`
      : `Did you mean "${meant}:"? The forms: ${FORMS}`,
  );
}
