import { convertPrimaryKey } from "../../src/migrations/convert-primary-key.ts";
import type { Plan } from "../../src/plan/step.ts";
import { ident, qualified } from "../../src/sql/quote.ts";
import { contract, type ContractNames } from "./contract.ts";

/** Up to the gate before the integers go for good: that cannot be taken back, and has its own tests. */
const reversible = ({ steps, ...plan }: Plan): Plan => ({
  ...plan,
  steps: steps.slice(
    0,
    steps.findIndex(({ id }) => id === "contract/integers-go"),
  ),
});

/** A key that is referred to simply, as a part, by itself and in a circle, with all that may hang on one. */
const referred = ({ schema, table, column }: ContractNames) => {
  const [path, name] = [qualified(schema, table), ident(column)];
  const of = (each: string) => qualified(schema, each);
  return `
  CREATE TABLE ${of("kinds")} (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, first integer);
  CREATE TABLE ${path} (${name} serial CONSTRAINT "a key" PRIMARY KEY, id integer, above integer, kind integer NOT NULL
    REFERENCES ${of("kinds")}, UNIQUE (kind, ${name}), CONSTRAINT "in the kind" FOREIGN KEY (kind, above) REFERENCES ${path} (kind, ${name}));
  ALTER TABLE ${of("kinds")} ADD FOREIGN KEY (first) REFERENCES ${path} ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED;
  COMMENT ON CONSTRAINT "a key" ON ${path} IS 'the key';
  COMMENT ON COLUMN ${path}.${name} IS 'laden';
  GRANT SELECT (${name}) ON ${path} TO PUBLIC;
  CREATE TABLE ${of("pairs")} (one integer REFERENCES ${path} ON DELETE CASCADE, other integer REFERENCES ${path} ON UPDATE CASCADE,
    note text, PRIMARY KEY (one, other), CONSTRAINT "not itself" CHECK (one <> other));
  CREATE INDEX "pairs by other" ON ${of("pairs")} (other DESC) INCLUDE (note) WHERE note IS NOT NULL;
  COMMENT ON INDEX ${of("pairs by other")} IS 'said';
  CREATE VIEW ${of("seen")} WITH (security_invoker) AS SELECT ${name} FROM ${path};
  INSERT INTO ${of("kinds")} (first) SELECT NULL FROM generate_series(1, 3);
  INSERT INTO ${path} (id, kind, above) SELECT g, 1 + g % 3, CASE WHEN g > 3 THEN g - 3 END FROM generate_series(1, 50) g;
  UPDATE ${of("kinds")} SET first = id;
  INSERT INTO ${of("pairs")} SELECT g, g + 1, 'n' FROM generate_series(1, 20) g`;
};

contract({
  name: "convertPrimaryKey",
  setup: referred,
  plan: ({ schema }, facts) =>
    reversible(
      convertPrimaryKey({ facts, schema, tables: "all", to: "uuid", surrogates: { pairs: "id" } }),
    ),
  insert: ({ schema, table }) =>
    `INSERT INTO ${qualified(schema, table)} (id, kind) VALUES (9999, 1)`,
  rows: true,
});

contract({
  name: "convertPrimaryKey by chance",
  setup: referred,
  plan: ({ schema, table }, facts) =>
    reversible(
      convertPrimaryKey({ facts, schema, tables: [table], to: "uuid", strategy: "random" }),
    ),
  insert: ({ schema, table }) =>
    `INSERT INTO ${qualified(schema, table)} (id, kind) VALUES (9999, 1)`,
  rows: true,
});
