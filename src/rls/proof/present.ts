import type { Cell, Proof } from "./proof.ts";

/** A proof as JSON, for programs. */
export function proofJson(proof: Proof): string {
  return `${JSON.stringify({ version: 1, ...proof }, null, 2)}\n`;
}

/** One line of the matrix: what each persona may do with an object. */
export interface MatrixRow {
  readonly object: string;
  readonly command: string;
  /** By persona; null where nothing was tried. */
  readonly cells: readonly (Cell | null)[];
}

/** The matrix that people look at: what each persona has of each object in the right context. */
export function matrixOf(proof: Proof): {
  readonly personas: readonly string[];
  readonly rows: readonly MatrixRow[];
} {
  const shown = proof.cells.filter(
    ({ context, command }) => context === "right" && COMMANDS.includes(command),
  );
  const personas = [...new Set(shown.map(({ persona }) => persona))];
  const keys = [...new Set(shown.map(({ object, command }) => JSON.stringify([object, command])))];
  const rows = keys.map((key): MatrixRow => {
    const [object = "", command = ""] = JSON.parse(key) as string[];
    const own = shown.filter((cell) => cell.object === object && cell.command === command);
    return {
      object,
      command,
      cells: personas.map(
        (persona) =>
          own.find((cell) => cell.persona === persona && cell.status !== "held") ??
          own.find((cell) => cell.persona === persona) ??
          null,
      ),
    };
  });
  return { personas, rows };
}

const COMMANDS = ["select", "insert", "update", "delete"];

const SIGN = { held: "", broken: " ✗", vacuous: " ∅", accepted: "" } as const;

/** A proof as Markdown: the verdict, the matrix, and whatever did not hold. */
export function proofMarkdown(proof: Proof): string {
  const { personas, rows } = matrixOf(proof);
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  const faults = faultsOf(proof);
  const missed = proof.mutations.filter(({ status }) => status === "survived");
  return [
    `# Isolation of ${proof.definition}`,
    "",
    verdictOf(proof),
    "",
    line(["object", "command", ...personas]),
    line(["---", "---", ...personas.map(() => "---")]),
    ...rows.map(({ object, command, cells }) =>
      line([
        object,
        command,
        ...cells.map((cell) => (cell === null ? "" : `${wordOf(cell)}${SIGN[cell.status]}`)),
      ]),
    ),
    ...section(
      "What did not hold",
      faults.map(
        ({ persona, command, object, context, reason }) =>
          `- ${persona}: ${command} of ${object}, context ${context}: ${reason ?? ""}`,
      ),
    ),
    ...section(
      "What is accepted",
      acceptedOf(proof).map((each) => `- ${each}`),
    ),
    ...section(
      "What no cell showed",
      missed.map(({ title, object, reason }) => `- ${title}: ${object}: ${reason}`),
    ),
    ...section(
      "Rows that could not be made",
      proof.problems.map((problem) => `- ${problem}`),
    ),
    "",
  ].join("\n");
}

/** What did not hold and is not accepted. */
export function faultsOf({ cells }: Proof): readonly Cell[] {
  return cells.filter(({ status }) => status === "broken" || status === "vacuous");
}

/** Once for each key, whoever tried it: what answers for all tenants, and why that may be. */
export function acceptedOf({ cells }: Proof): readonly string[] {
  const accepted = cells.filter(({ status }) => status === "accepted");
  return [
    ...new Set(
      accepted.map(
        ({ object, command, reason }) =>
          `${command.slice(0, command.lastIndexOf(": "))} of ${object}: ${reason ?? ""}`,
      ),
    ),
  ];
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ["", `## ${title}`, "", ...lines];
}

/** What a cell allows, in as few words as a table has room for. */
export function wordOf({ expected, actual, status }: Cell): string {
  if (status === "broken") return actual;
  if (expected === "refused privilege") return "no";
  if (expected.startsWith("refused, or ")) return actual === "refused privilege" ? "no" : actual;
  return expected === "refused policy" ? "no" : expected;
}

/** The verdict in one sentence. */
export function verdictOf({ ok, cells, score, server, seed }: Proof): string {
  const held = cells.filter(({ status }) => status === "held").length;
  return (
    `${ok ? "Proven" : "Not proven"} on ${server} (seed ${seed}): ${held} of ${cells.length} cells held; ` +
    `${score.shown} of ${score.total} mutations were shown, ${score.byBehaviour} of them by what somebody saw or did.`
  );
}
