import { textOption, type Call } from "./call.ts";
import { misuse } from "./misuse.ts";

const UNITS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** The rest between two rounds of a verb that goes on until Ctrl-C, in milliseconds. */
export function everyOption(call: Call): number | undefined {
  const text = textOption(call, "every");
  if (text === undefined) return undefined;
  const [, count = "", unit = ""] = /^([1-9]\d{0,5})([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * (UNITS[unit] ?? 0);
  if (ms > 0 && ms <= 2_147_483_647) return ms;
  throw misuse(
    `--every is ${JSON.stringify(text)}, not a length of time`,
    "Write seconds, minutes, hours or days: --every 1m",
  );
}
