/** A record, or what became of one, as an answer: status, entity tag, and what the other headers say of it. */
import { HttpServerResponse } from "effect/http"
import type { Change, Changed, Read, Shown, Transacted } from "../Repository/Records.ts"
import { formatETag, type RecordTag } from "./ETag.ts"
import { indexHeader } from "./IndexHeader.ts"

type Headers = Readonly<Record<string, string>>

/** The tag of a record as this node, `instance`, shows it. */
export const tagOf = (instance: string, { localRevision, version }: Shown): RecordTag =>
  localRevision === undefined ? { version } : { version, local: { instance, revision: localRevision } }

/** The record itself. */
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

/** What a read says of itself: the index that it reflects, and how old it may be where that was asked for. */
export const readHeaders = ({ logIndex, staleMs }: Read<unknown>): Headers => ({
  [indexHeader]: String(logIndex),
  ...(staleMs === undefined ? {} : { "lithair-stale-ms": String(Math.ceil(staleMs)) })
})

/** What an outcome says of how it came about, a refusal included. */
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

/** What a change, or several together, says of how it came about. */
const changeHeaders = (changed: Omit<Transacted, "changes" | "index">): Headers => ({
  ...outcomeHeaders(changed),
  ...(changed.isLocalPartLost ? { "lithair-local": "lost" } : {})
})

/** What a change of one record answers by its command: to the first request, to its copies, and to whoever asks later. */
export const statusOfChange = (command: Change["_tag"], change: Changed["change"]): 200 | 201 | 204 => {
  if (command === "Delete") return 204
  return command === "Create" || change === "created" ? 201 : 200
}

/** A change as the answer to its request; `collection` is the path of the model's records. */
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

/** Changes made together as the answer to their request: 200 with the entry's index, or 201 with the records of a bulk. */
export const answerTransacted = (
  { changes, index, ...how }: Transacted,
  command?: "Bulk"
): HttpServerResponse.HttpServerResponse => {
  const headers = changeHeaders(how)
  return command === "Bulk"
    ? HttpServerResponse.jsonUnsafe(bodyOfBulk(changes), { status: 201, headers })
    : HttpServerResponse.jsonUnsafe(bodyOfTransaction(changes, index), { headers })
}

/** Of a deleted record there is nothing to show. */
export const bodyOfTransaction = (changes: ReadonlyArray<Changed>, index: number) => ({
  index,
  results: changes.map(({ change, id, model, record, version }) =>
    change === "deleted" ? { model, id, version } : { model, id, version, record }
  )
})

export const bodyOfBulk = (changes: ReadonlyArray<Changed>) => changes.map(({ record }) => record)
