import { ident, qualified } from "../../sql/quote.ts";
import { value, type ProofModel, type ProvenTable } from "./model.ts";
import { ofTable, type Mutation } from "./mutation.ts";
import { sample } from "./samples.ts";

/** Partitions of a table: a bare one, and one that is opened. */
export function partitionMutations(model: ProofModel, table: ProvenTable): readonly Mutation[] {
  const members = model.catalog.partitions.filter(
    ({ root }) => qualified(root.schema, root.name) === table.sql,
  );
  const shows = ofTable(table);
  const leaf = members.find(({ level, key }) => level > 0 && key === null);
  const root = members.find(({ level }) => level === 0);
  const at = { object: table.path, of: table.path, shows };
  const column = root?.key?.columns[0];
  const type = table.columns.find(({ name }) => name === column)?.type;
  const { types } = model;
  const fresh = (row: number) =>
    type === undefined
      ? undefined
      : sample({
          type,
          column: "fresh",
          row,
          tenant: 8,
          global: true,
          types,
          uuid: () => `88888888-8888-4888-8888-88888888888${row}`,
        });
  const bound =
    root?.key?.strategy === "list"
      ? `FOR VALUES IN (${value(fresh(1) ?? null)})`
      : root?.key?.strategy === "range" && root.key.columns.length === 1
        ? "FOR VALUES FROM (MINVALUE) TO (MINVALUE)"
        : undefined;
  const low = /^(?:date|timestamp)/.test(type ?? "") ? "'1900-01-01'" : "-2000000000";
  const high = /^(?:date|timestamp)/.test(type ?? "") ? "'1900-01-02'" : "-1999999999";
  const bare = ident("underpin_bare");
  return [
    ...(bound === undefined
      ? []
      : [
          {
            ...at,
            title: "attach a bare partition",
            sql: `CREATE TABLE ${ident(table.schema)}.${bare} PARTITION OF ${table.sql} ${bound.replace("(MINVALUE) TO (MINVALUE)", `(${low}) TO (${high})`)}`,
          },
        ]),
    ...(leaf === undefined
      ? []
      : [
          [
            "disable row security of a partition",
            `ALTER TABLE ${qualified(leaf.schema, leaf.name)} DISABLE ROW LEVEL SECURITY`,
          ],
          [
            "do not force row security of a partition",
            `ALTER TABLE ${qualified(leaf.schema, leaf.name)} NO FORCE ROW LEVEL SECURITY`,
          ],
          [
            "grant a partition to everybody",
            `GRANT SELECT ON ${qualified(leaf.schema, leaf.name)} TO PUBLIC`,
          ],
        ].map(([title = "", sql = ""]) => ({ ...at, title, sql }))),
  ];
}
