/** Answers with a record or with the outcome of a change: status, entity tag and other headers. */
import type { Change, Changed, Read, Shown, Transacted } from "../Repository/Records.ts"
import { formatETag, type RecordTag } from "./ETag.ts"
import { type Answer, answer } from "./Handler.ts"
import { indexHeader } from "./IndexHeader.ts"

type Headers = Readonly<Record<string, string>>

/** The tag of a record as the node with this `instance` shows it. */
export const tagOf = (instance: string, { localRevision, modelVersion, version }: Shown): RecordTag => {
  const tag = modelVersion === 1 ? { version } : { version, modelVersion }
  return localRevision === undefined ? tag : { ...tag, local: { instance, revision: localRevision } }
}

/** Answers with a record. */
export const answerRecord = (options: {
  readonly shown: Shown
  readonly instance: string
  readonly status: number
  readonly headers: Headers
}): Answer =>
  answer(
    options.status,
    { etag: formatETag(tagOf(options.instance, options.shown)), ...options.headers },
    JSON.stringify(options.shown.record)
  )

/** The headers of a read: the index that it reflects and, for a local read, its greatest possible age. */
export const readHeaders = ({ logIndex, staleMs }: Read<unknown>): Headers =>
  staleMs === undefined
    ? { [indexHeader]: String(logIndex) }
    : { [indexHeader]: String(logIndex), "lithair-stale-ms": String(Math.ceil(staleMs)) }

/** The headers of an outcome, also of a refusal: the index, and whether it was replayed. */
export const outcomeHeaders = ({
  isReplayed,
  logIndex
}: {
  readonly isReplayed?: boolean
  readonly logIndex?: number | undefined
}): Headers => {
  const headers: Record<string, string> = {}
  if (logIndex !== undefined) headers[indexHeader] = String(logIndex)
  if (isReplayed === true) headers["idempotent-replayed"] = "true"
  return headers
}

/** The headers of a change or of several changes together. */
const changeHeaders = (changed: Omit<Transacted, "changes" | "index">): Headers =>
  changed.isLocalPartLost ? { ...outcomeHeaders(changed), "lithair-local": "lost" } : outcomeHeaders(changed)

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
}): Answer => {
  const { changed, collection, command, instance } = options
  const status = statusOfChange(command, changed.change)
  const headers = changeHeaders(changed)
  if (status === 204) return answer(status, headers, undefined)
  const placed = status === 201 ? { ...headers, location: `${collection}/${changed.id}` } : headers
  return answerRecord({ shown: changed, instance, status, headers: placed })
}

/** Answers a request with changes made together: 200 with the entry's index, or 201 with the records of a bulk. */
export const answerTransacted = ({ changes, index, ...how }: Transacted, command?: "Bulk"): Answer => {
  const headers = changeHeaders(how)
  return command === "Bulk"
    ? answer(201, headers, JSON.stringify(bodyOfBulk(changes)))
    : answer(200, headers, JSON.stringify(bodyOfTransaction(changes, index)))
}

/** A deleted record has no body. */
export const bodyOfTransaction = (changes: ReadonlyArray<Changed>, index: number) => ({
  index,
  results: changes.map(({ change, id, model, record, version }) =>
    change === "deleted" ? { model, id, version } : { model, id, version, record }
  )
})

/** The body that answers a bulk. */
export const bodyOfBulk = (changes: ReadonlyArray<Changed>) => changes.map(({ record }) => record)
