/** The endpoints of one model, served. What they look like to a reader of the document is ModelEndpoints.ts. */
import { Effect, Result } from "effect"
import { HttpRouter } from "effect/http"
import { invariant } from "../Invariant.ts"
import { fieldValues } from "../Model/FieldValues.ts"
import type { Descriptor } from "../Model.ts"
import { notFound, type Problem } from "../Problem.ts"
import type { Records } from "../Repository/Records.ts"
import { createRecords } from "./BulkWrites.ts"
import { listRecords, readRecord } from "./ModelReads.ts"
import { createRecord, deleteRecord, patchRecord, putRecord } from "./ModelWrites.ts"
import { collectionPath } from "./Paths.ts"

/** What the endpoints of a model share. */
export interface ServedModel {
  readonly descriptor: Descriptor
  readonly collection: `/api/${string}`
  readonly records: Records["Service"]
  /** This life of this node's data, which entity tags name. */
  readonly instance: string
  /** The id in the path of a record. */
  readonly id: Effect.Effect<string, Problem, HttpRouter.RouteContext>
}

/** The routes of one model over the records of this node. */
export const modelRoutes = (descriptor: Descriptor, records: Records["Service"], instance: string) => {
  const collection = collectionPath(descriptor)
  const item = `${collection}/:id` as const
  const served: ServedModel = { descriptor, collection, records, instance, id: idOf(descriptor) }
  return [
    HttpRouter.route("POST", collection, createRecord(served)),
    HttpRouter.route("POST", `${collection}/_bulk`, createRecords(served)),
    HttpRouter.route("GET", collection, listRecords(served)),
    HttpRouter.route("GET", item, readRecord(served)),
    HttpRouter.route("PUT", item, putRecord(served)),
    HttpRouter.route("PATCH", item, patchRecord(served)),
    HttpRouter.route("DELETE", item, deleteRecord(served))
  ] as const
}

/** An id that the model's own schema does not take names nothing. */
const idOf = ({ fields, idField, name }: Descriptor): ServedModel["id"] => {
  const schema = fields[idField]
  invariant(schema !== undefined, `model ${name} has no schema of its id`)
  const { normal } = fieldValues(idField, schema)
  return Effect.flatMap(HttpRouter.params, ({ id }) =>
    id !== undefined && Result.isSuccess(normal(id))
      ? Effect.succeed(id)
      : Effect.fail(notFound(`There is no ${name} ${id ?? ""}`))
  )
}
