/** Online changes as plans, and their pieces. */
export {
  addForeignKey,
  type AddForeignKeyOptions,
  type ForeignKeyAction,
} from "../recipes/add-foreign-key.ts";
export { createIndex } from "../recipes/create-index.ts";
export type { CreateIndexOptions, IndexPart } from "../recipes/index-options.ts";
export { setNotNull, type SetNotNullOptions } from "../recipes/set-not-null.ts";
export { type DrizzleColumn, type DrizzleTable, type TableTarget } from "../plan/target.ts";
