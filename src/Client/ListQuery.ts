/** Turns the typed options of a list into its query. docs/http.md, "Lists". Pure. */
import * as Result from "effect/Result"
import { formatFilter } from "../Http/ListFilter.ts"
import { invariant } from "../Invariant.ts"
import type { Filter } from "../Machine/Filter.ts"
import type { FieldError } from "../Model/Descriptor.ts"
import type { FieldValues } from "../Model/FieldValues.ts"
import type { RowClass } from "../Model/RowCodecs.ts"
import { codecsOf } from "../Model/RowCodecs.ts"
import { filterOf, stepsOf, type Where } from "../Repository/ListOptions.ts"
import type { Asked } from "./Asked.ts"
import type { ReadOptions } from "./Reading.ts"

/** Options of a list: the same as in a node's own code, except that a text names the page. */
export interface ListOptions<M extends RowClass> extends ReadOptions {
  readonly where?: ReadonlyArray<Where<M["Type"]>>
  /** The fields that order the list. The id breaks ties. */
  readonly orderBy?: ReadonlyArray<readonly [field: keyof M["Type"] & string, direction: "asc" | "desc"]>
  /** Records of a page, from 1 to 1,000; 50 by default. */
  readonly limit?: number
  /** The `next` of the previous page of the same list. */
  readonly cursor?: string
  /** Whether to count the records of all pages. */
  readonly countsTotal?: boolean
}

type Query = Required<Asked>["query"]

/** Makes the query of a list. Fails with the options that do not fit the model. */
export const listQuery = <M extends RowClass>(
  model: M,
  { countsTotal, cursor, limit, orderBy = [], where = [] }: ListOptions<M>
): Result.Result<Query, ReadonlyArray<FieldError>> => {
  const codecs = codecsOf(model)
  return Result.gen(function* () {
    const filters = yield* Result.all(where.map((each) => filterOf(codecs, each)))
    yield* stepsOf(codecs, orderBy)
    const order = orderBy.map(([field, direction]) => `${field}.${direction}`).join(",")
    return [
      ...filters.map((filter) => written(codecs.fields, filter)),
      ...(order === "" ? [] : [["order", order] as const]),
      ...(limit === undefined ? [] : [["limit", String(limit)] as const]),
      ...(cursor === undefined ? [] : [["cursor", cursor] as const]),
      ...(countsTotal === true ? [["count", "exact"] as const] : [])
    ]
  })
}

/** Adds a prefix if the field has the name of a parameter, or could be taken for another field with the prefix. */
const written = (fields: ReadonlyMap<string, FieldValues>, filter: Filter): Query[number] => {
  const field = fields.get(filter.field)
  invariant(field !== undefined, "a filter of a field that is none")
  return [fields.has(`field.${field.name}`) ? field.name : `field.${field.name}`, formatFilter(field, filter)]
}
