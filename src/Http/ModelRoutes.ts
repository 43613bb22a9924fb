/** Serves the endpoints of one model. ModelEndpoints.ts declares them for the document. */
import type { Descriptor } from "../Model/Descriptor.ts"
import type { Records } from "../Repository/Records.ts"
import { type Endpoint, endpoint } from "./Handler.ts"
import { readHistory } from "./HistoryReads.ts"
import { listRecords, readRecord } from "./ModelReads.ts"
import { createRecord, createRecords, deleteRecord, patchRecord, putRecord } from "./ModelWrites.ts"
import { collectionPath } from "./Paths.ts"
import { idOf, type ServedModel } from "./ServedModel.ts"

/** Makes the endpoints of one model over the records of this node. */
export const modelRoutes = (
  descriptor: Descriptor,
  records: Records["Service"],
  instance: string
): ReadonlyArray<Endpoint> => {
  const collection = collectionPath(descriptor)
  const item = `${collection}/${idParameters[descriptor.ids.kind]}` as const
  const served: ServedModel = {
    descriptor,
    collection,
    records,
    instance,
    id: idOf(descriptor, collection),
    idOfHistory: idOf(descriptor, collection, "/history")
  }
  return [
    endpoint("POST", collection, createRecord(served)),
    endpoint("POST", `${collection}/_bulk`, createRecords(served)),
    endpoint("GET", collection, listRecords(served)),
    endpoint("GET", item, readRecord(served)),
    endpoint("GET", `${item}/history`, readHistory(served)),
    endpoint("PUT", item, putRecord(served)),
    endpoint("PATCH", item, patchRecord(served)),
    endpoint("DELETE", item, deleteRecord(served))
  ]
}

/** The parameter by which a route says which ids it takes (Routing.ts). */
const idParameters = { uuid: ":id", text: ":textId" } as const
