/** Parses the query of a list: filters, order, page, selection. Pure. A bad query is a 400 that lists its errors. docs/http.md, "Lists". */
import { Result } from "effect"
import * as Asking from "../Machine/Asking.ts"
import type { ListRequest } from "../Machine/List.ts"
import type { OrderBy } from "../Machine/Order.ts"
import type { FieldSchema } from "../Model/Descriptor.ts"
import { type FieldValues, fieldsOf } from "../Model/FieldValues.ts"
import { invalidRequest, type Problem, type ProblemError } from "../Problem.ts"
import { type CursorValue, cursorLengthMax, decodeCursor, encodeCursor, listFingerprint } from "./Cursor.ts"
import { type Filter, parseFilter } from "./ListFilter.ts"
import { limitDefault, limitMax } from "./PageLimit.ts"
import { invalidQuery, only, type Params } from "./Params.ts"
import { readParameters } from "./ReadQuery.ts"

/** The parts of a model that a list needs. Any declaration of a model fits. */
export interface ListShape {
  readonly name: string
  readonly idField: string
  /** Those that HTTP knows (Hidden.ts). */
  readonly fields: Readonly<Record<string, FieldSchema>>
}

export type { OrderBy } from "../Machine/Order.ts"

/** A parsed list query: the machine's request, and how to show the answer. */
export interface ListQuery extends ListRequest {
  /** The fields in the answer; undefined for all. */
  readonly select: ReadonlyArray<string> | undefined
  /** Whether the answer has the version of each record. */
  readonly showsVersions: boolean
  readonly fingerprint: string
}

/** ReadQuery.ts parses `readParameters`. */
const listParameters: ReadonlyArray<string> = [
  "order",
  "limit",
  "cursor",
  "select",
  "count",
  "versions",
  ...readParameters
]

/** Whether a parameter has this name, so that a field of the same name is filtered as `field.<name>=…`. */
export const isListParameter = (name: string): boolean => listParameters.includes(name)

/** Makes a parser for the lists of one model, and compiles its schemas once. */
export const makeListParser = (shape: ListShape) => {
  const fields = fieldsOf(shape.fields)

  return (params: Params): Result.Result<ListQuery, Problem> => {
    const errors: Array<ProblemError> = []
    const filters: Array<Filter> = []
    for (const [name, value] of params) {
      if (isListParameter(name)) continue
      const field = fields.get(name.startsWith("field.") && !fields.has(name) ? name.slice(6) : name)
      if (field === undefined)
        errors.push({ path: name, message: `is neither a parameter nor a field of ${shape.name}` })
      else collect(errors, name, parseFilter(field, value), (filter) => filters.push(filter))
    }

    const parameter = (name: string) => only(params, name, errors)
    const orderBy = parseOrder(parameter("order"), fields, shape.idField, errors)
    const select = parseSelect(parameter("select"), fields, errors)
    const limit = parseLimit(parameter("limit"), errors)
    const count = parameter("count")
    if (count !== undefined && count !== "exact") errors.push({ path: "count", message: "takes exact" })
    const versions = parameter("versions")
    if (versions !== undefined && versions !== "true") errors.push({ path: "versions", message: "takes true" })

    const fingerprint = fingerprintOf(shape, { orderBy, filters })
    const cursor = parameter("cursor")
    let after: ReadonlyArray<CursorValue> | undefined
    // With other errors this is not the list that the client meant, and we would wrongly call its cursor foreign.
    if (cursor !== undefined && errors.length === 0) {
      const decoded = decodeCursor(cursor, { fingerprint, keyCount: orderBy.length })
      collect(
        errors,
        "cursor",
        Result.mapError(decoded, (it) => it.message),
        (key) => {
          if (Asking.canFollow(fields, shape.idField, orderBy, key)) after = key
          else errors.push({ path: "cursor", message: "The cursor is not one of ours" })
        }
      )
    }

    const how = { select, countsTotal: count === "exact", showsVersions: versions === "true" }
    return errors.length === 0
      ? Result.succeed({ filters, orderBy, limit, after, ...how, fingerprint })
      : Result.fail(invalidQuery("The query of this list is invalid", errors))
  }
}

/** Identifies a list. Filters in any order are the same list. Page size, selection and count do not change which records it has. */
export const fingerprintOf = (
  { name }: Pick<ListShape, "name">,
  { filters, orderBy }: Pick<ListRequest, "filters" | "orderBy">
): string => listFingerprint([name, orderBy, filters.map((it) => JSON.stringify(it)).sort()])

/** Makes the cursor of a page that ended with a record of this order key. Fails if a text in the key is too long. */
export const nextCursor = (
  { fingerprint }: { readonly fingerprint: string },
  lastKey: ReadonlyArray<CursorValue>
): Result.Result<string, Problem> => {
  const next = encodeCursor({ fingerprint, lastKey })
  if (next.length <= cursorLengthMax) return Result.succeed(next)
  const message = `uses a text that is too long for a cursor, which holds at most ${cursorLengthMax} characters`
  return Result.fail(
    invalidRequest(`This page can have no next page, because its order ${message}: order by another field`, [
      { path: "order", message }
    ])
  )
}

/** Parses the size of a page. Adds an error if it is none. */
export const parseLimit = (text: string | undefined, errors: Array<ProblemError>): number => {
  if (text === undefined) return limitDefault
  const limit = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > limitMax) errors.push({ path: "limit", message: `takes a number from 1 to ${limitMax}` })
  return limit
}

const parseOrder = (
  text: string | undefined,
  fields: ReadonlyMap<string, FieldValues>,
  idField: string,
  errors: Array<ProblemError>
): readonly [OrderBy, ...Array<OrderBy>] => {
  const steps = (text === undefined ? [] : text.split(",")).map((part): OrderBy => {
    const [, name = "", direction] = /^(.*?)(?:\.(asc|desc))?$/s.exec(part) ?? []
    // An unknown direction counts as part of the name, and no field has that name.
    return { field: direction === undefined ? part : name, direction: direction === "desc" ? "desc" : "asc" }
  })
  return Result.match(Asking.inOrder(fields, idField, steps), {
    onSuccess: (orderBy) => orderBy,
    onFailure: (message) => {
      errors.push({ path: "order", message })
      return [{ field: idField, direction: "asc" }]
    }
  })
}

const parseSelect = (
  text: string | undefined,
  fields: ReadonlyMap<string, FieldValues>,
  errors: Array<ProblemError>
): ReadonlyArray<string> | undefined => {
  if (text === undefined) return undefined
  const names = text.split(",")
  for (const name of names) {
    if (!fields.has(name)) errors.push({ path: "select", message: `names no field: ${JSON.stringify(name)}` })
  }
  return [...new Set(names)]
}

const collect = <A>(
  errors: Array<ProblemError>,
  path: string,
  result: Result.Result<A, string>,
  take: (value: A) => void
) => {
  if (Result.isFailure(result)) errors.push({ path, message: result.failure })
  else take(result.success)
}
