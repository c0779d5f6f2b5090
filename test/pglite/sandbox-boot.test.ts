import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bootSandbox } from "../../src/sandbox/boot.ts";
import { runTypescript } from "../support/run-typescript.ts";

describe("a sandbox", () => {
  it("starts with the settings that keep statements and memory", async () => {
    await using sandbox = await bootSandbox({ settings: ["work_mem=7MB"] });
    const rows = await sandbox.executor.query(`
      select name, setting from pg_catalog.pg_settings
      where name in ('max_stack_depth', 'shared_buffers', 'wal_recycle', 'work_mem', 'wal_segment_size')
      order by name`);
    expect(rows.map(({ name, setting }) => `${String(name)}=${String(setting)}`)).toEqual([
      "max_stack_depth=300",
      "shared_buffers=2048",
      "wal_recycle=off",
      "wal_segment_size=1048576",
      "work_mem=7168",
    ]);
  });

  it("answers deep recursion with an error instead of losing the statement", async () => {
    await using sandbox = await bootSandbox();
    await sandbox.client.exec(`
      create function down(n int) returns int language plpgsql as
      $$ begin return case when n = 0 then 0 else down(n - 1) end; end $$`);
    await expect(sandbox.client.query("select down(5000)")).rejects.toMatchObject({
      code: "54001",
    });
    expect((await sandbox.client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  });

  it("starts from the dump of another", async () => {
    const first = await bootSandbox();
    await first.client.exec("create table kept (n int); insert into kept values (7)");
    const from = await first.dump();
    await first.client.exec("drop table kept");
    await first.close();
    await using second = await bootSandbox({ from });
    expect(await second.executor.query("select n from kept")).toEqual([{ n: 7 }]);
  });

  it("keeps its data in a directory", async () => {
    const root = mkdtempSync(join(tmpdir(), "underpin-sandbox-"));
    const dataDir = join(root, "deep", "data");
    {
      await using sandbox = await bootSandbox({ dataDir });
      await sandbox.client.exec("create table kept (n int); insert into kept values (7)");
    }
    {
      await using sandbox = await bootSandbox({ dataDir });
      expect(await sandbox.executor.query("select n from kept")).toEqual([{ n: 7 }]);
    }
    rmSync(root, { recursive: true });
  });

  it("refuses to wait for its own transaction", async () => {
    await using sandbox = await bootSandbox();
    const { client } = sandbox;
    const calls: (() => Promise<unknown>)[] = [
      () => client.query("select 1"),
      () => client.exec("select 1"),
      () => client.transaction(() => Promise.resolve()),
    ];
    for (const call of calls)
      await expect(client.transaction(call)).rejects.toMatchObject({ code: "embeddedLimit" });
    expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  });

  it("serves work that was begun in a transaction and outlives it", async () => {
    await using sandbox = await bootSandbox();
    const { client } = sandbox;
    let later: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => (later = resolve));
    let outliving: Promise<unknown> = Promise.resolve();
    await client.transaction(async (tx) => {
      outliving = gate.then(() => client.query("select 1 as one"));
      await tx.query("select 1");
    });
    later?.();
    expect(await outliving).toMatchObject({ rows: [{ one: 1 }] });
  });

  it("can be closed twice", async () => {
    const sandbox = await bootSandbox();
    await sandbox.close();
    await sandbox.close();
    await expect(sandbox.executor.query("select 1")).rejects.toThrow("closed");
  });

  it("gives its memory back when it is closed", async () => {
    const measured = runTypescript("measure-sandbox-memory.ts", [], ["--expose-gc"]);
    const { afterTwo, afterSix } = JSON.parse(await measured.line()) as Record<string, number>;
    expect(await measured.ended).toBe(0);
    // One instance takes about 140 MB of buffers.
    expect((afterSix ?? NaN) - (afterTwo ?? NaN)).toBeLessThan(100);
  });
});
