/** What the global set-up hands to each test file. */
export interface ProvidedServers {
  /** In every name that this run makes on a server, so that nothing of another run is touched. */
  readonly run: string;
  /** Whether this run started the servers, so that their settings and logins are the rig's. */
  readonly own: boolean;
  readonly servers: readonly { readonly major: number; readonly url: string }[];
  /** Servers that this run does without, and why. */
  readonly missing: readonly { readonly major: number; readonly reason: string }[];
}

/** What a test ran on, for the reporter's last lines. */
export type Engine = "PGlite" | `PostgreSQL ${number}`;

declare module "vitest" {
  interface ProvidedContext {
    underpinServers: ProvidedServers;
  }
  interface TaskMeta {
    engine?: Engine;
    /** Why the whole block is skipped. */
    skipReason?: string;
  }
}
