/** Answers with a record or with the outcome of a change: status, entity tag and other headers. */
import { HttpServerResponse } from "effect/http"
import type { Change, Changed, Read, Shown, Transacted } from "../Repository/Records.ts"
import { formatETag, type RecordTag } from "./ETag.ts"
import { indexHeader } from "./IndexHeader.ts"

type Headers = Readonly<Record<string, string>>

/** The tag of a record as the node with this `instance` shows it. */
export const tagOf = (instance: string, { localRevision, version }: Shown): RecordTag =>
  localRevision === undefined ? { version } : { version, local: { instance, revision: localRevision } }

/** Answers with a record. */
export const answerRecord = (options: {
  readonly shown: Shown
  readonly instance: string
  readonly status: number
  readonly headers: Headers
}): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(options.shown.record, {
    status: options.status,
    headers: { etag: formatETag(tagOf(options.instance, options.shown)), ...options.headers }
  })

/** The headers of a read: the index that it reflects and, for a local read, its greatest possible age. */
export const readHeaders = ({ logIndex, staleMs }: Read<unknown>): Headers => ({
  [indexHeader]: String(logIndex),
  ...(staleMs === undefined ? {} : { "lithair-stale-ms": String(Math.ceil(staleMs)) })
})

/** The headers of an outcome, also of a refusal: the index, and whether it was replayed. */
export const outcomeHeaders = ({
  isReplayed,
  logIndex
}: {
  readonly isReplayed?: boolean
  readonly logIndex?: number | undefined
}): Headers => ({
  ...(logIndex === undefined ? {} : { [indexHeader]: String(logIndex) }),
  ...(isReplayed === true ? { "idempotent-replayed": "true" } : {})
})

/** The headers of a change or of several changes together. */
const changeHeaders = (changed: Omit<Transacted, "changes" | "index">): Headers => ({
  ...outcomeHeaders(changed),
  ...(changed.isLocalPartLost ? { "lithair-local": "lost" } : {})
})

/** The status of a change of one record: for the first request, its copies, and later questions about the outcome. */
export const statusOfChange = (command: Change["_tag"], change: Changed["change"]): 200 | 201 | 204 => {
  if (command === "Delete") return 204
  return command === "Create" || change === "created" ? 201 : 200
}

/** Answers a request with its change. `collection` is the path of the model's records. */
export const answerChange = (options: {
  readonly command: Change["_tag"]
  readonly changed: Changed
  readonly collection: string
  readonly instance: string
}): HttpServerResponse.HttpServerResponse => {
  const { changed, collection, command, instance } = options
  const status = statusOfChange(command, changed.change)
  if (status === 204) return HttpServerResponse.empty({ status, headers: changeHeaders(changed) })
  const location = status === 201 ? { location: `${collection}/${changed.id}` } : {}
  return answerRecord({ shown: changed, instance, status, headers: { ...changeHeaders(changed), ...location } })
}

/** Answers a request with changes made together: 200 with the entry's index, or 201 with the records of a bulk. */
export const answerTransacted = (
  { changes, index, ...how }: Transacted,
  command?: "Bulk"
): HttpServerResponse.HttpServerResponse => {
  const headers = changeHeaders(how)
  return command === "Bulk"
    ? HttpServerResponse.jsonUnsafe(bodyOfBulk(changes), { status: 201, headers })
    : HttpServerResponse.jsonUnsafe(bodyOfTransaction(changes, index), { headers })
}

/** A deleted record has no body. */
export const bodyOfTransaction = (changes: ReadonlyArray<Changed>, index: number) => ({
  index,
  results: changes.map(({ change, id, model, record, version }) =>
    change === "deleted" ? { model, id, version } : { model, id, version, record }
  )
})

export const bodyOfBulk = (changes: ReadonlyArray<Changed>) => changes.map(({ record }) => record)
