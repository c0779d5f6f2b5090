export { reportSchema } from "./report-schema.ts";
