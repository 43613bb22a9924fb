/** The endpoints of one model, served. What they look like to a reader of the document is ModelEndpoints.ts. */
import { Effect } from "effect"
import { HttpRouter } from "effect/http"
import type { Descriptor } from "../Model/Descriptor.ts"
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
  const item = `${collection}/${idParameters[descriptor.ids.kind]}` as const
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

/** By what a route says which paths are its own (Routing.ts). */
const idParameters = { uuid: ":id", text: ":textId" } as const

/** An id that the model's own schema does not take names nothing. */
const idOf = ({ ids, name }: Descriptor): ServedModel["id"] =>
  Effect.flatMap(HttpRouter.params, ({ id, textId = id }) =>
    textId !== undefined && ids.isId(textId)
      ? Effect.succeed(textId)
      : Effect.fail(notFound(`There is no ${name} ${textId ?? ""}`))
  )
