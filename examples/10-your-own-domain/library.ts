import { sql } from "drizzle-orm";
import {
  check,
  date,
  index,
  integer,
  pgSchema,
  primaryKey,
  text,
  timestamp,
  uuid,
} from "drizzle-orm/pg-core";
import { defineDatabase, pgComment, pgFunction, pgTrigger } from "underpin";
import { partitionBy, range } from "underpin/partitioning";

const schema = "library";
export const library = pgSchema(schema);
export const mediumKind = library.enum("medium_kind", ["book", "film", "map"]);

export const media = library.table(
  "media",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    kind: mediumKind("kind").notNull(),
    title: text("title").notNull(),
    copies: integer("copies").notNull().default(1),
    updatedAt: timestamp("updated_at", { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [index("media_title_idx").on(t.title), check("media_copies_ck", sql`copies >= 0`)],
);

export const loans = library.table(
  "loans",
  {
    mediumId: uuid("medium_id").notNull(),
    lentOn: date("lent_on").notNull(),
    reader: text("reader").notNull(),
  },
  (t) => [primaryKey({ name: "loans_pk", columns: [t.mediumId, t.lentOn, t.reader] })],
);

/** One table for each month, made a month ahead, gone after a year. */
export const loansByMonth = partitionBy(
  loans,
  range(loans.lentOn, { every: "1 month", premake: 1, retain: "1 year" }),
);

const touch = pgFunction({
  schema,
  name: "touch",
  returns: "trigger",
  language: "plpgsql",
  volatility: "volatile",
  body: "BEGIN NEW.updated_at := pg_catalog.now(); RETURN NEW; END",
});

export const definition = defineDatabase({
  name: "library",
  tables: { library, mediumKind, media, loans },
  partitions: [loansByMonth],
  objects: [
    touch,
    pgTrigger({
      table: media,
      name: "media_touch",
      timing: "before",
      events: ["update"],
      execute: touch,
    }),
    pgComment({ table: media, text: "What can be lent" }),
  ],
  seeds: [
    {
      table: media,
      key: ["id"],
      rows: [{ id: "00000000-0000-4000-8000-000000000001", kind: "map", title: "How to get here" }],
    },
  ],
});
