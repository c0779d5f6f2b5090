import { squash } from "../migrations/squash.ts";
import { operand, type Verb } from "./call.ts";
import { EXIT } from "./exit-code.ts";
import { allowOption, folderOption } from "./folder-option.ts";

/** `underpin squash THROUGH`: puts the first migrations of a folder into one. */
export const squashVerb: Verb = {
  name: "squash",
  summary: "Replace the first migrations of a folder by one that is proven to make the same",
  operands: [{ name: "THROUGH", help: "The last one that goes in, or the beginning of its name" }],
  options: ["folder", "allow"],
  notes:
    "The proof runs in an embedded database. The old files are deleted: commit them first. Databases that have all of them take the squash for applied.",
  run: async (call) => {
    const report = await squash({
      folder: folderOption(call),
      through: operand(call, 0),
      allow: allowOption(call),
    });
    const { version, squashed, removed, written } = report;
    call.terminal.out(
      call.options.json === true
        ? JSON.stringify(report, null, 2)
        : [
            `${version} stands for ${squashed.join(", ")}`,
            ...written.map((path) => `written  ${path}`),
            ...removed.map((path) => `removed  ${path}`),
          ].join("\n"),
    );
    return EXIT.done;
  },
};
