/** Serves POST, PUT, PATCH and DELETE of one model's records. docs/http.md, "Endpoints". */
import { Effect } from "effect"
import { HttpServerRequest } from "effect/http"
import type { Change } from "../Repository/Records.ts"
import { jsonMediaTypes, patchMediaTypes, readJson } from "./Body.ts"
import { writeConditions } from "./Conditions.ts"
import { ifMatchHolds } from "./ETag.ts"
import { type Head, originOf } from "./IdempotencyKey.ts"
import type { ServedModel } from "./ModelRoutes.ts"
import { problemOfChange } from "./Outcomes.ts"
import { parseParams, refuseOthers } from "./Params.ts"
import { answerChange, tagOf } from "./RecordResponse.ts"

const change = ({ collection, descriptor, instance, records }: ServedModel, asked: Change) =>
  records.change(descriptor, asked).pipe(
    Effect.mapError((error) => problemOfChange(error, asked.key)),
    Effect.map((changed) => answerChange({ command: asked._tag, changed, collection, instance }))
  )

/** Reads the head of a write: its conditions. A write's query must be empty. */
export const readHead = Effect.fnUntraced(function* (method: "POST" | "PUT" | "PATCH" | "DELETE") {
  const request = yield* HttpServerRequest.HttpServerRequest
  const { headers, url } = request
  const params = yield* Effect.fromResult(parseParams(url))
  yield* Effect.fromResult(refuseOthers(params, []))
  const { ifMatchTags, versions } = yield* Effect.fromResult(writeConditions(method, headers))
  return { request, head: { method, url, headers }, ifMatchTags, versions }
})

/** Reads the body of a write, and the write's key and fingerprint. */
export const readBody = Effect.fnUntraced(function* (
  { head, request }: { readonly head: Head; readonly request: HttpServerRequest.HttpServerRequest },
  mediaTypes: ReadonlyArray<string>
) {
  const { bytes, data } = yield* readJson(request, { mediaTypes })
  return { data, origin: yield* Effect.fromResult(originOf(head, bytes)) }
})

/** Creates a record. */
export const createRecord = (served: ServedModel) =>
  Effect.gen(function* () {
    const { descriptor } = served
    const asked = yield* readHead("POST")
    const { data, origin } = yield* readBody(asked, jsonMediaTypes)
    return yield* change(served, { _tag: "Create", model: descriptor.name, data, ...origin })
  })

/** Replaces or creates a record. */
export const putRecord = (served: ServedModel) =>
  Effect.gen(function* () {
    const { descriptor } = served
    const id = yield* served.id
    const { versions, ...asked } = yield* readHead("PUT")
    const { data, origin } = yield* readBody(asked, jsonMediaTypes)
    return yield* change(served, { _tag: "Put", model: descriptor.name, id, data, ...origin, ...versions })
  })

/** Patches a record. */
export const patchRecord = (served: ServedModel) =>
  Effect.gen(function* () {
    const { descriptor, instance } = served
    const id = yield* served.id
    const { ifMatchTags, versions, ...asked } = yield* readHead("PATCH")
    const { data, origin } = yield* readBody(asked, patchMediaTypes)
    const holds: Change["holds"] = (current) =>
      ifMatchTags === undefined ||
      ifMatchHolds({ condition: ifMatchTags, current: current && tagOf(instance, current), compareRevision: true })
    const patch = { _tag: "Patch", model: descriptor.name, id, data, holds, ...origin, ...versions } as const
    return yield* change(served, patch)
  })

/** The body of a DELETE has no meaning: ignore it. */
const noBody = new Uint8Array()

/** Deletes a record. */
export const deleteRecord = (served: ServedModel) =>
  Effect.gen(function* () {
    const { descriptor } = served
    const id = yield* served.id
    const { head, versions } = yield* readHead("DELETE")
    const origin = yield* Effect.fromResult(originOf(head, noBody))
    return yield* change(served, { _tag: "Delete", model: descriptor.name, id, ...origin, ...versions })
  })
