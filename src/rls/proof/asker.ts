import type { AccessData } from "../../definition/access.ts";
import type { Asker } from "./runner.ts";

/** Who asks, of which tenant: what a context holds. Null is left empty. */
export interface Identity {
  readonly persona: string;
  readonly tenant: string | null;
  readonly user: string | null;
}

/** The settings and role of a context, as `withTenant` sets them. */
export function askerOf(access: AccessData, { persona, tenant, user }: Identity): Asker {
  return {
    role: access.roles[persona] ?? persona,
    settings: settingsOf(access, { persona, tenant, user }),
  };
}

/** The settings of a context alone. */
export function settingsOf(
  access: AccessData,
  { persona, tenant, user }: Identity,
): Asker["settings"] {
  if (access.target !== "supabase")
    return [
      [access.tenant.setting, tenant ?? ""],
      [access.user.setting, user ?? ""],
    ];
  const claims =
    tenant === null && user === null
      ? ""
      : JSON.stringify({
          sub: user ?? "",
          role: "authenticated",
          app_metadata: { tenant_id: tenant ?? "", persona },
        });
  return [
    ["request.jwt.claims", claims],
    ["request.jwt.claim.sub", ""],
  ];
}
