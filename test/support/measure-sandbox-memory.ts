import { setTimeout as sleep } from "node:timers/promises";
import { bootSandbox, type Sandbox } from "../../src/sandbox/boot.ts";

/** A program: opens and closes sandboxes, keeps them all, and prints the megabytes that are left outside of the heap. */
const kept: Sandbox[] = [];

async function openAndClose(count: number): Promise<number> {
  for (let i = 0; i < count; i++) {
    const sandbox = await bootSandbox();
    await sandbox.client.query("select 1");
    await sandbox.close();
    kept.push(sandbox);
  }
  await sleep(50);
  globalThis.gc?.();
  await sleep(50);
  globalThis.gc?.();
  const { external } = process.memoryUsage();
  return Math.round(external / 2 ** 20);
}

async function main(): Promise<void> {
  const afterTwo = await openAndClose(2);
  const afterSix = await openAndClose(4);
  process.stdout.write(`${JSON.stringify({ afterTwo, afterSix, kept: kept.length })}\n`);
}

void main();
