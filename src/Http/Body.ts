/**
 * Reading a JSON request body: media type, size, time, UTF-8, syntax. Decoding by a model's schema is the handler's.
 * Called on an existing path only, since an unknown one is 404 before anything is said of the body. RFC 8259, RFC 9110 §8.3.
 */
import { ByteSize, Context, Effect, Result, Stream } from "effect"
import { HttpIncomingMessage, type HttpServerRequest } from "effect/http"
import { depthMax } from "../Model/PlainJson.ts"
import { invalidRequest, type Problem, problem } from "../Problem.ts"
import { countMembers, repeatedKey, scan } from "./JsonText.ts"
import { Patience } from "./Patience.ts"

/** The default limit of a body. */
export const bodySizeMaxBytes = 1024 * 1024

/** What is read at once: of 4,096 requests under way, 64 MiB at most. */
const smallMaxBytes = 16 * 1024

/** Waits for a moment in which a body that has come may be worked on: megabytes of JSON take a while. */
export const Turn = Context.Reference<Effect.Effect<void>>("lithair/Http/Turn", { defaultValue: () => Effect.void })

/** Takes room for bytes that have come, for as long as their request is under way; or refuses it. */
export const Reserve = Context.Reference<(bytes: number) => Effect.Effect<void, Problem>>("lithair/Http/Reserve", {
  defaultValue: () => () => Effect.void
})

/** What POST and PUT take. */
export const jsonMediaTypes = ["application/json"] as const

/** What PATCH takes (RFC 7396 §4). */
export const patchMediaTypes = ["application/merge-patch+json", "application/json"] as const

/** A body: what it says, and the bytes that said it. */
export interface JsonBody {
  readonly data: unknown
  readonly bytes: Uint8Array
}

/** Reads the body as JSON; every failure is the answer to the client: 415, 413, 408, 400, or 503 where there is no room. */
export const readJson = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest,
  options: { readonly mediaTypes: ReadonlyArray<string>; readonly sizeMaxBytes?: number }
) {
  const sizeMaxBytes = options.sizeMaxBytes ?? bodySizeMaxBytes
  // Each time that a request is asked for its headers, it copies them.
  const { headers } = request
  yield* Effect.fromResult(checkMediaType(headers["content-type"], options.mediaTypes))
  yield* Effect.fromResult(checkCoding(headers["content-encoding"]))
  // A declared size saves reading what would be refused; without one, reading stops at the limit.
  const declaredBytes = Number(headers["content-length"] ?? Number.POSITIVE_INFINITY)
  if (Number.isFinite(declaredBytes) && declaredBytes > sizeMaxBytes) return yield* Effect.fail(tooLarge(sizeMaxBytes))
  const bytes = yield* readBytes(request, declaredBytes, sizeMaxBytes)
  yield* Effect.flatten(Turn)
  const body: JsonBody = { data: yield* Effect.fromResult(parseJson(bytes)), bytes }
  return body
})

/** The bytes, each of which has its room once it has come: none is kept for what is announced and may never come. */
const readBytes = (
  request: HttpServerRequest.HttpServerRequest,
  declaredBytes: number,
  sizeMaxBytes: number
): Effect.Effect<Uint8Array, Problem> =>
  Effect.flatMap(Patience, (patient) =>
    patient(declaredBytes <= smallMaxBytes ? readSmall(request) : readParts(request, sizeMaxBytes))
  )

/** A body that is announced as small is read at once: to follow its parts costs more than the rest of the request. */
const readSmall = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  const buffer = yield* request.arrayBuffer.pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(smallMaxBytes)),
    Effect.mapError(() => unreadable)
  )
  yield* (yield* Reserve)(buffer.byteLength)
  return new Uint8Array(buffer)
})

const readParts = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest,
  sizeMaxBytes: number
): Effect.fn.Return<Uint8Array, Problem> {
  const reserve = yield* Reserve
  const parts: Array<Uint8Array> = []
  let size = 0
  yield* request.stream.pipe(
    Stream.mapError(() => unreadable),
    Stream.runForEach((part) => {
      size += part.length
      if (size > sizeMaxBytes) return Effect.fail(tooLarge(sizeMaxBytes))
      parts.push(part)
      return reserve(part.length)
    })
  )
  const [first = new Uint8Array()] = parts
  if (parts.length <= 1) return first
  const bytes = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
})

/** Whether a `Content-Type` is one of these; parameters are ignored, but a charset other than UTF-8 is refused. */
export const checkMediaType = (
  contentType: string | undefined,
  mediaTypes: ReadonlyArray<string>
): Result.Result<void, Problem> => {
  const expected = mediaTypes.join(" or ")
  if (contentType === undefined || contentType.trim() === "") {
    return Result.fail(problem("unsupported-media-type", `The body has no Content-Type: send ${expected}`, {}))
  }
  const [essence = "", ...parameters] = contentType.split(";").map((part) => part.trim().toLowerCase())
  if (!mediaTypes.includes(essence)) {
    return Result.fail(problem("unsupported-media-type", `${essence} is not taken here: send ${expected}`, {}))
  }
  const foreign = parameters.find((it) => it.startsWith("charset=") && !/^charset="?utf-?8"?$/.test(it))
  return foreign === undefined
    ? Result.void
    : Result.fail(problem("unsupported-media-type", `JSON is UTF-8 (RFC 8259 §8.1), not ${foreign}`, {}))
}

/** No coding is undone here: what it unpacks to has no size that could be refused beforehand (RFC 9110 §8.4). */
export const checkCoding = (contentEncoding: string | undefined): Result.Result<void, Problem> =>
  contentEncoding === undefined || /^\s*(identity)?\s*$/i.test(contentEncoding)
    ? Result.void
    : Result.fail(problem("unsupported-media-type", `A body is sent as it is, not as ${contentEncoding}`, {}))

/** Bytes to a JSON value, or why they are none. */
export const parseJson = (bytes: Uint8Array): Result.Result<unknown, Problem> => {
  const text = Result.try({
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    catch: () => invalidRequest("The body is not valid UTF-8")
  })
  if (Result.isFailure(text)) return Result.fail(text.failure)
  const { inexact, isTooDeep, membersCount } = scan(text.success)
  if (isTooDeep) return Result.fail(invalidRequest(`The body nests deeper than ${depthMax} levels`))
  const value = Result.try({
    try: (): unknown => JSON.parse(text.success),
    catch: (cause) =>
      invalidRequest(`The body is not valid JSON: ${cause instanceof Error ? cause.message : "unreadable"}`)
  })
  if (Result.isFailure(value)) return value
  if (inexact !== undefined) return Result.fail(invalidRequest(inexactNumber(inexact)))
  // Of a repeated key the parser keeps one member, and drops the others with all that is in them.
  if (countMembers(value.success) !== membersCount) {
    const key = JSON.stringify(repeatedKey(text.success)).slice(0, shownMax)
    return Result.fail(invalidRequest(`The body has an object with the key ${key} twice: give each key once`))
  }
  // An escaped lone surrogate becomes another character when it is written as UTF-8: the leader that holds the string
  // and the follower that reads it from the log would hold different records.
  if (/\\u[dD][89a-fA-F]/.test(text.success) && !isWellFormed(value.success)) {
    return Result.fail(invalidRequest("The body holds a lone surrogate, which no UTF-8 text can carry"))
  }
  return value
}

/** Of a number or a key no more is said than helps to find it. */
const shownMax = 100

/** Why a number is refused that would be stored as another one. */
const inexactNumber = (number: string): string => {
  const read = Number(number)
  const becomes = Number.isFinite(read) ? `would be read as ${read}` : "is larger than any number can be"
  return `The number ${number.slice(0, shownMax)} ${becomes}: send digits that a double holds, or text`
}

const unreadable = invalidRequest("The body could not be read to its end")

const tooLarge = (sizeMaxBytes: number) => problem("too-large", `The body is larger than ${sizeMaxBytes} bytes`, {})

/** Recurses no deeper than {@link depthMax}. */
const isWellFormed = (value: unknown): boolean => {
  if (typeof value === "string") return value.isWellFormed()
  if (Array.isArray(value)) return value.every(isWellFormed)
  if (value === null || typeof value !== "object") return true
  return Object.entries(value).every(([key, it]) => key.isWellFormed() && isWellFormed(it))
}
