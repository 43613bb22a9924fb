/** Turns the typed options of a list into its query. docs/http.md, "Lists". Pure. */
import * as Result from "effect/Result"
import { formatFilter } from "../../Http/ListFilter.ts"
import { invariant } from "../../Invariant.ts"
import type { Filter } from "../../Machine/Filter.ts"
import type { FieldError } from "../../Model/FieldError.ts"
import type { FieldValues } from "../../Model/FieldValues.ts"
import { codecsOf, type RowClass } from "../../Model/RowCodecs.ts"
import { type ListOptions, listedOf } from "../ListOptions.ts"
import type { Asked } from "./Asked.ts"

type Query = Required<Asked>["query"]

/** Makes the query of a list. Fails with the options that do not fit the model. */
export const listQuery = <M extends RowClass>(
  model: M,
  options: ListOptions<M>
): Result.Result<Query, ReadonlyArray<FieldError>> => {
  const { countsTotal, cursor, limit, orderBy = [] } = options
  const { fields, ...codecs } = codecsOf(model)
  return Result.map(listedOf({ fields, ...codecs }, options), ({ filters }) => {
    const order = orderBy.map(([field, direction]) => `${field}.${direction}`).join(",")
    return [
      ...filters.map((filter) => written(fields, filter)),
      ...(order === "" ? [] : [["order", order] as const]),
      ...(limit === undefined ? [] : [["limit", String(limit)] as const]),
      ...(cursor === undefined ? [] : [["cursor", cursor] as const]),
      ...(countsTotal === true ? [["count", "exact"] as const] : []),
      ["versions", "true"] as const
    ]
  })
}

/** Adds a prefix if the field has the name of a parameter, or could be taken for another field with the prefix. */
const written = (fields: ReadonlyMap<string, FieldValues>, filter: Filter): Query[number] => {
  const field = fields.get(filter.field)
  invariant(field !== undefined, "a filter of a field that is none")
  return [fields.has(`field.${field.name}`) ? field.name : `field.${field.name}`, formatFilter(field, filter)]
}
