import type { Facts } from "../../catalog/read-facts.ts";
import { addEnumValue } from "../../recipes/enum-value.ts";
import { refuse } from "../../recipes/table-facts.ts";
import type { Part } from "./columns.ts";
import { relationOf } from "./contract.ts";
import type { Changed } from "./delta.ts";

/** Enums that get values. Anything else about a type or a sequence holds rows in its old form. */
export function typeParts(
  { is }: Changed,
  facts: { readonly before: Facts; readonly after: Facts },
): readonly Part[] {
  const { schema, name } = relationOf(is.id);
  const labelsIn = (of: Facts) =>
    of.types.find((each) => each.schema === schema && each.name === name)?.labels ?? [];
  const was = labelsIn(facts.before);
  const labels = labelsIn(facts.after);
  const kept = labels.filter((label) => was.includes(label));
  if (was.length === 0 || JSON.stringify(kept) !== JSON.stringify(was))
    return refuse(
      `${is.id} becomes another: its rows hold the old form`,
      "removeEnumValue and renameEnumValue are for values of an enum; of another type make a new one and changeColumnType.",
    );
  return labels.flatMap((label, at): readonly Part[] => {
    if (was.includes(label)) return [];
    const after = labels[at - 1];
    const first = labels[at + 1];
    return [
      addEnumValue({
        schema,
        type: name,
        value: label,
        ...(after !== undefined ? { after } : first === undefined ? {} : { before: first }),
      }),
    ];
  });
}
