import { UnderpinError } from "../../errors.ts";
import type { Layout } from "./migration.ts";
import { runsOutside } from "./outside-step.ts";
import { fileDownOf, type Resolved } from "./resolve-migration.ts";
import { statementsOf } from "./sql-steps.ts";

/** The texts of one migration that stands for many. */
export interface SquashedText {
  readonly up: string;
  readonly down: string;
}

/**
 * All statements of the migrations, in their order, below a head that names each with its checksum: where all of them are applied,
 * the squash is.
 *
 * CREATE INDEX CONCURRENTLY loses that word: a squash only ever runs where nothing is yet, and can then be one transaction.
 */
export function squashedText(all: readonly Resolved[], layout: Layout): SquashedText {
  const breakpoint = layout === "numbered" ? ";\n\n" : ";\n--> statement-breakpoint\n";
  const head = all.map(
    ({ migration }) => `-- underpin: squash of ${migration.version} ${migration.checksum}`,
  );
  const statements = all.flatMap(({ migration, text, body }) => {
    if (migration.language === "module" && body.kind !== "sql")
      throw new UnderpinError({
        code: "invalidInput",
        message: `${migration.file} is a ${body.kind === "plan" ? "plan" : "function"}, which cannot be put into one file of SQL`,
        hint: "Squash through the one before it, or write what it does as SQL and give that as { sql }.",
      });
    return statementsOf(text, migration.file).map((statement) =>
      runsOutside(statement.tokens)
        ? statement.sql.replace(/\s+CONCURRENTLY\b/i, "")
        : statement.sql,
    );
  });
  return {
    up: `${head.join("\n")}\n\n${statements.join(breakpoint)};\n`,
    down: downText(all),
  };
}

function downText(all: readonly Resolved[]): string {
  const downs = all.toReversed().map(({ migration }) => ({
    version: migration.version,
    down: fileDownOf(migration),
  }));
  const parts: string[] = [];
  for (const { version, down } of downs) {
    if (down.kind === "irreversible")
      return `-- irreversible: ${version} cannot be taken back: ${down.reason}\n`;
    if (down.kind !== "sql") return `-- irreversible: no down was written for ${version}\n`;
    parts.push(...statementsOf(down.text, down.file).map(({ sql }) => sql));
  }
  return `${parts.join(";\n\n")};\n`;
}
