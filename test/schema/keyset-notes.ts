import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  numeric,
  pgEnum,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uuid,
} from "drizzle-orm/pg-core";

const level = pgEnum("level", ["low", "high"]);
/** A table with columns of many types, most of them nullable, whose key is of two columns. */
export const notes = pgTable(
  "notes",
  {
    team: integer("team").notNull(),
    id: uuid("id").notNull(),
    writtenAt: timestamp("written_at", { withTimezone: true, precision: 3 }).notNull(),
    readAt: timestamp("read_at", { withTimezone: true, precision: 3 }),
    title: text("title").notNull(),
    rank: integer("rank"),
    price: numeric("price"),
    big: bigint("big", { mode: "bigint" }).notNull(),
    level: level("level"),
    done: boolean("done").notNull(),
    // For what is refused.
    exact: timestamp("exact", { withTimezone: true }).notNull().defaultNow(),
    body: jsonb("body").notNull().default({}),
  },
  (t) => [
    primaryKey({ columns: [t.team, t.id] }),
    index("notes_written").on(t.team, t.writtenAt.desc().nullsFirst(), t.id.desc().nullsFirst()),
  ],
);

/** The table with 90 rows that tie in every column but the key. */
export const setup = `
  create type level as enum ('low', 'high');
  create table notes (
    team int not null, id uuid not null, written_at timestamptz(3) not null, read_at timestamptz(3),
    title text not null, rank int, price numeric, big bigint not null, level level, done boolean not null,
    exact timestamptz not null default now(), body jsonb not null default '{}', primary key (team, id));
  -- Few values of each, so that rows tie; the same millisecond again and again.
  insert into notes
    select n % 2, md5(n::text)::uuid, '2024-01-15 14:30:00.120Z'::timestamptz + (n % 5) * interval '1 ms',
      case when n % 3 > 0 then '2024-01-15Z'::timestamptz + (n % 4) * interval '1 day' end,
      (array['a', 'B', 'é', '''"', ''])[n % 5 + 1], nullif(n % 4, 0), nullif(n % 7, 0) / 4.0,
      9007199254740993 * (n % 3 - 1), (array['low', 'high', null]::level[])[n % 3 + 1], n % 2 = 0
    from generate_series(1, 90) n;
  create index notes_written on notes (team, written_at desc, id desc);
  analyze notes`;
