import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { toError, UnderpinError } from "../../errors.ts";

/** What of drizzle-kit's configuration is looked at. */
export interface KitConfig {
  readonly file: string;
  /** The folder of migrations, as a whole path. */
  readonly folder: string;
}

const NAMES = ["ts", "mts", "js", "mjs", "cjs", "json"].map((end) => `drizzle.config.${end}`);

/** Finds and reads drizzle-kit's configuration. */
export async function readKitConfig(directory: string, given?: string): Promise<KitConfig> {
  const file = given ?? NAMES.find((name) => existsSync(join(directory, name)));
  if (file === undefined || !existsSync(resolve(directory, file)))
    throw new UnderpinError({
      code: "invalidInput",
      message:
        file === undefined
          ? `there is no drizzle.config.ts in ${directory}`
          : `there is no file ${file}`,
      hint: "Set the project up with underpin init, or name the configuration: --config drizzle.config.ts",
    });
  const path = resolve(directory, file);
  const { out = "drizzle", dialect } = await load(path, file);
  if (dialect !== "postgresql")
    throw new UnderpinError({
      code: "invalidInput",
      message: `${file} has the dialect ${JSON.stringify(dialect)}`,
      hint: 'underpin is for PostgreSQL: dialect: "postgresql"',
    });
  return { file, folder: resolve(directory, out) };
}

async function load(
  path: string,
  file: string,
): Promise<{ readonly out?: string; readonly dialect?: unknown }> {
  try {
    const { createJiti } = await import("jiti");
    const loaded: unknown = await createJiti(pathToFileURL(path).href).import(path, {
      default: true,
    });
    return loaded as { readonly out?: string; readonly dialect?: unknown };
  } catch (error) {
    throw new UnderpinError({
      code: "invalidInput",
      message: `${file} cannot be loaded: ${toError(error).message.split("\n")[0]}`,
      hint: "The file itself throws or imports something that is not there.",
      cause: error,
    });
  }
}
