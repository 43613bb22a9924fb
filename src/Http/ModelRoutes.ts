/** Serves the endpoints of one model. ModelEndpoints.ts declares them for the document. */
import { Effect } from "effect"
import { HttpRouter } from "effect/http"
import type { Descriptor } from "../Model/Descriptor.ts"
import { notFound, type Problem } from "../Problem.ts"
import type { Records } from "../Repository/Records.ts"
import { createRecords } from "./BulkWrites.ts"
import { listRecords, readRecord } from "./ModelReads.ts"
import { createRecord, deleteRecord, patchRecord, putRecord } from "./ModelWrites.ts"
import { collectionPath } from "./Paths.ts"

/** The parts that the endpoints of a model share. */
export interface ServedModel {
  readonly descriptor: Descriptor
  readonly collection: `/api/${string}`
  readonly records: Records["Service"]
  /** The instance of this node's data directory. Entity tags name it. */
  readonly instance: string
  /** Reads the id in the path of a record. */
  readonly id: Effect.Effect<string, Problem, HttpRouter.RouteContext>
}

/** Makes the routes of one model over the records of this node. */
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

/** The parameter by which a route says which ids it takes (Routing.ts). */
const idParameters = { uuid: ":id", text: ":textId" } as const

/** An id that does not fit the model's schema is a 404. */
const idOf = ({ ids, name }: Descriptor): ServedModel["id"] =>
  Effect.flatMap(HttpRouter.params, ({ id, textId = id }) =>
    textId !== undefined && ids.isId(textId)
      ? Effect.succeed(textId)
      : Effect.fail(notFound(`There is no ${name} ${textId ?? ""}`))
  )
