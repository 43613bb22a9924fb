/** Serves POST, PUT, PATCH and DELETE of one model's records, and bulks. docs/http.md, "Endpoints". */
import type { Descriptor } from "../Model/Descriptor.ts"
import { invalidRequest } from "../Problem.ts"
import type { Change, TransactionChange } from "../Repository/Records.ts"
import { jsonMediaTypes, patchMediaTypes } from "./Body.ts"
import { ifMatchHolds } from "./ETag.ts"
import { awaiting, type Handler, type Step, withValue } from "./Handler.ts"
import type { Head } from "./Head.ts"
import { refusedFields } from "./Hidden.ts"
import { originOf } from "./IdempotencyKey.ts"
import { problemOfChange } from "./Outcomes.ts"
import { answerChange, answerTransacted, tagOf } from "./RecordResponse.ts"
import type { ServedModel } from "./ServedModel.ts"
import { operationsMax, tooMany } from "./TransactionRequest.ts"
import { checkHead, readWrite } from "./WriteRequest.ts"

const change = ({ collection, descriptor, instance, records }: ServedModel, { caller }: Head, asked: Change): Step =>
  (asked._tag === "Delete" ? undefined : refusedFields(descriptor, asked.data)) ??
  awaiting({
    begin: records.beginChange(caller, descriptor, asked),
    onSuccess: (changed) => {
      return answerChange({ command: asked._tag, changed, collection, instance })
    },
    onFailure: (error) => problemOfChange(error, asked.key)
  })

/** Creates a record. */
export const createRecord =
  (served: ServedModel): Handler =>
  (head) =>
    withValue(checkHead(head, "POST"), () =>
      readWrite(head, jsonMediaTypes, (data, origin) =>
        change(served, head, { _tag: "Create", model: served.descriptor.name, data, ...origin })
      )
    )

/** Replaces or creates a record. */
export const putRecord =
  (served: ServedModel): Handler =>
  (head) =>
    withValue(served.id(head), (id) =>
      withValue(checkHead(head, "PUT"), ({ versions }) =>
        readWrite(head, jsonMediaTypes, (data, origin) =>
          change(served, head, { _tag: "Put", model: served.descriptor.name, id, data, ...origin, ...versions })
        )
      )
    )

/** Patches a record. */
export const patchRecord = (served: ServedModel): Handler => {
  const { descriptor, instance } = served
  return (head) =>
    withValue(served.id(head), (id) =>
      withValue(checkHead(head, "PATCH"), ({ ifMatchTags, versions }) => {
        const holds: Change["holds"] = (current) =>
          ifMatchTags === undefined ||
          ifMatchHolds({ condition: ifMatchTags, current: current && tagOf(instance, current), compareRevision: true })
        return readWrite(head, patchMediaTypes, (data, origin) =>
          change(served, head, { _tag: "Patch", model: descriptor.name, id, data, holds, ...origin, ...versions })
        )
      })
    )
}

/** The body of a DELETE has no meaning: ignore it. */
const noBody = new Uint8Array()

/** Deletes a record. */
export const deleteRecord =
  (served: ServedModel): Handler =>
  (head) =>
    withValue(served.id(head), (id) =>
      withValue(checkHead(head, "DELETE"), ({ versions }) =>
        withValue(originOf(head, noBody), (origin) =>
          change(served, head, { _tag: "Delete", model: served.descriptor.name, id, ...origin, ...versions })
        )
      )
    )

/** Creates records. */
export const createRecords =
  ({ descriptor, records }: ServedModel): Handler =>
  (head) =>
    withValue(checkHead(head, "POST"), () =>
      readWrite(head, jsonMediaTypes, (data, origin) => {
        if (!Array.isArray(data) || data.length === 0)
          return invalidRequest("The body must be an array of at least one record")
        if (data.length > operationsMax) return tooMany("records")
        for (const [position, record] of data.entries()) {
          const refused = refusedFields(descriptor, record, String(position))
          if (refused !== undefined) return refused
        }
        const changes = data.map((record: unknown) => create(descriptor, record))
        return awaiting({
          begin: records.beginTransact(head.caller, { changes, name: "Bulk", ...origin }),
          onSuccess: (transacted) => answerTransacted(transacted, "Bulk"),
          onFailure: (error) => problemOfChange(error, origin.key, { name: "Bulk" })
        })
      })
    )

const create = (descriptor: Descriptor, data: unknown): TransactionChange => ({
  descriptor,
  operation: { _tag: "Create", model: descriptor.name, data }
})
