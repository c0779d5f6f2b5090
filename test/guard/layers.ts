import { importsOf, type Import } from "./imports.ts";
import type { SourceText } from "./source.ts";

/** Folders and files of `src` in the order in which they may be imported: each imports only those above it. */
export const LAYERS = [
  "errors",
  "sql",
  "executor",
  "plan",
  "catalog",
  "objects",
  "definition",
  "run",
  "sandbox",
  "recipes",
  "partitioning",
  "rls",
  "install",
  "migrations",
  "schema",
  "kit",
  "distribution",
  "report",
  "testing",
  "cli",
  "index",
] as const;

/** What the order alone would allow. */
const FORBIDDEN: readonly (readonly [from: string, to: string, why: string])[] = [
  ["rls", "partitioning", "partitioning and rls never import each other"],
  ["plan", "executor", "plans are data: they know no database"],
];

/** A statically imported driver is one that every host has to install. */
const LAZY = [
  "pg",
  "postgres",
  "@electric-sql/pglite",
  "drizzle-orm/pglite",
  "drizzle-kit",
  "libpg-query",
  "vitest",
  "zod",
  "drizzle-zod",
];

/** The subpaths that are made of zod, for who asks for them. */
const VALIDATION = /^src\/schema\/(?:validation\/[^/]+|[^/]+\/validation)\.ts$/;

/** Imports that point down, or at a folder without a place in {@link LAYERS}. */
export function layerFaults(sources: readonly SourceText[]): string[] {
  return sources.flatMap(importsOf).flatMap((found) => {
    if (found.target === undefined) return [];
    const from = layerOf(found.from);
    const to = layerOf(found.target);
    const fromRank = rankOf(from);
    const toRank = rankOf(to);
    if (fromRank === -1) return [`${found.place}: ${from} has no place among the layers`];
    if (toRank === -1) return [`${found.place}: ${to} has no place among the layers`];
    if (toRank > fromRank)
      return [`${found.place}: ${from} may not import ${to}, which is below it`];
    const forbidden = FORBIDDEN.find(([a, b]) => a === from && b === to);
    return forbidden === undefined ? [] : [`${found.place}: ${forbidden[2]}`];
  });
}

/** Packages that have to be imported lazily, or for their types only. */
export function driverFaults(sources: readonly SourceText[]): string[] {
  return sources
    .flatMap(importsOf)
    .filter(({ kind, specifier }) => kind === "value" && isLazy(specifier))
    .filter(
      ({ from, specifier }) => !(VALIDATION.test(from) && /^(?:drizzle-)?zod$/.test(specifier)),
    )
    .map(({ place, specifier }) => `${place}: ${specifier} is imported for every host`);
}

/** Circles of imports, each written once, from its first file by name. */
export function cycles(sources: readonly SourceText[]): string[] {
  const edges = new Map<string, Set<string>>();
  for (const source of sources)
    edges.set(source.path, new Set(importsOf(source).map(targetOf).filter(isPath)));
  const found = new Set<string>();
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start !== -1) {
      found.add(fromFirst(trail.slice(start)));
      return;
    }
    if (done.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const { path } of sources) visit(path, []);
  return [...found].sort();
}

function fromFirst(circle: readonly string[]): string {
  const [first = ""] = [...circle].sort();
  const at = circle.indexOf(first);
  return [...circle.slice(at), ...circle.slice(0, at), first].join(" → ");
}

function targetOf(found: Import): string | undefined {
  return found.target;
}

function isPath(target: string | undefined): target is string {
  return target !== undefined;
}

/** `src/plan/step.ts` → `plan`, `src/errors.ts` → `errors`. */
function layerOf(path: string): string {
  return /^src\/([^/]+?)(?:\.ts$|\/)/.exec(path)?.[1] ?? path;
}

function rankOf(layer: string): number {
  return (LAYERS as readonly string[]).indexOf(layer);
}

function isLazy(specifier: string): boolean {
  return LAZY.some((name) => specifier === name || specifier.startsWith(`${name}/`));
}
