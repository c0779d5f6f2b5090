import { readdirSync, readFileSync, statSync } from "node:fs";
import { toError, UnderpinError } from "../../errors.ts";
import { plainText } from "./checksum.ts";

/** Reads a file of a folder of migrations: UTF-8, without a byte order mark, lines ended by LF. */
export function readText(path: string, shown: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw unreadable(error, shown);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new UnderpinError({
      code: "migrationFolder",
      message: `${shown} is not UTF-8${isUtf16(bytes) ? ": it begins as UTF-16 does" : ""}`,
      hint: "Save it as UTF-8: PostgreSQL would store other letters than the ones that were written.",
      cause,
    });
  }
  if (text.includes("\0"))
    throw new UnderpinError({
      code: "migrationFolder",
      message: `${shown} holds a NUL character`,
      hint: "PostgreSQL cannot read it: save the file as UTF-8 text.",
    });
  return plainText(text);
}

/** The entries of a directory: names, directories ending with a slash, in the order of their names. */
export function readDirectory(path: string, shown: string): readonly string[] {
  try {
    if (!statSync(path).isDirectory())
      throw new UnderpinError({
        code: "migrationFolder",
        message: `${shown} is a file, not a folder of migrations`,
        hint: "Name the folder that holds the migrations.",
      });
    return readdirSync(path, { withFileTypes: true })
      .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
      .sort();
  } catch (error) {
    throw unreadable(error, shown);
  }
}

function isUtf16([first, second]: Buffer): boolean {
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
}

const REASONS: Readonly<Record<string, { readonly what: string; readonly hint: string }>> = {
  EACCES: {
    what: "may not be read by this user",
    hint: "Give the user that migrates the right to read it: chmod a+r",
  },
  EPERM: {
    what: "may not be read by this user",
    hint: "Give the user that migrates the right to read it: chmod a+r",
  },
  ENOENT: {
    what: "is not there",
    hint: "Bring it back from version control, or correct the path.",
  },
  EISDIR: { what: "is a directory, not a file", hint: "Put a file in its place, or rename it." },
  ELOOP: { what: "is a link that leads to itself", hint: "Put a file in its place." },
};

function unreadable(error: unknown, shown: string): unknown {
  const { code } = error as { code?: unknown };
  const reason = REASONS[String(code)];
  if (reason === undefined) return error;
  return new UnderpinError({
    code: "migrationFolder",
    message: `${shown} ${reason.what}`,
    hint: reason.hint,
    cause: toError(error),
  });
}
