/** The variants of a model: one schema for each use of its records. */
import * as VariantSchema from "effect/schema/VariantSchema"

/**
 * The variants of a model: `row` is the whole record on this node, `replicated` the part in the Raft log, `local` the
 * part that stays here, `json` the answer, and `create`, `put` and `patch` the requests.
 */
export const variants = VariantSchema.make({
  variants: ["row", "replicated", "local", "json", "create", "put", "patch"],
  defaultVariant: "row"
})

/** The name of one variant of a model. */
export type Variant = "row" | "replicated" | "local" | "json" | "create" | "put" | "patch"
