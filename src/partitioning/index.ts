export { hash, list, partitionBy, range, type ListOptions } from "./partition-by.ts";
export type {
  NumberRangeOptions,
  RangeOptions,
  SchemeOf,
  SchemeOptions,
  SchemeValues,
  TimeRangeOptions,
  UuidRangeOptions,
} from "./partition-types.ts";
export { planProvision } from "./plan-provision.ts";
export { provision, type ProvisionOptions } from "./provision.ts";
export { provisionRequests, type ProvisionRequestsOptions } from "./provision-requests.ts";
export {
  provisionRequested,
  type FailedRequest,
  type RequestedReport,
} from "./provision-requested.ts";
export { readSurvey, type ProvisionWindow, type Survey, type SurveyedPartition } from "./survey.ts";
export { schemeObjects } from "./scheme-objects.ts";
