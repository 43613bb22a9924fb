/**
 * Reads a JSON request body and checks its media type, size, time, UTF-8 and syntax. Handlers decode it by the model's
 * schema. An unknown path is a 404 before its body is read. RFC 8259, RFC 9110 §8.3.
 */
import { ByteSize, Context, Effect, Result, Stream } from "effect"
import { HttpIncomingMessage, type HttpServerRequest } from "effect/http"
import { depthMax } from "../Model/PlainJson.ts"
import { invalidRequest, type Problem, problem } from "../Problem.ts"
import { withDeadline } from "./BodyDeadline.ts"
import { countMembers, repeatedKey, scan } from "./JsonText.ts"

/** The default limit of a body. */
export const bodySizeMaxBytes = 1024 * 1024

/** Smaller bodies are read at once: with 4,096 requests under way that is 64 MiB at most. */
export const smallMaxBytes = 16 * 1024

/** Waits until the node may work on a body that has come: megabytes of JSON take a while. */
export const Turn = Context.Reference<Effect.Effect<void>>("lithair/Http/Turn", { defaultValue: () => Effect.void })

/** {@link Turn} for a large answer: it is refused if clients have not taken most of the answers before it (Admission.ts). */
export const AnswerTurn = Context.Reference<Effect.Effect<void, Problem>>("lithair/Http/AnswerTurn", {
  defaultValue: () => Effect.void
})

/** Reserves room for bytes that have come until their request ends, or refuses the request. */
export const Reserve = Context.Reference<(bytes: number) => Effect.Effect<void, Problem>>("lithair/Http/Reserve", {
  defaultValue: () => () => Effect.void
})

/** The media types of POST and PUT. */
export const jsonMediaTypes = ["application/json"] as const

/** The media types of PATCH (RFC 7396 §4). */
export const patchMediaTypes = ["application/merge-patch+json", "application/json"] as const

/** A parsed body and its bytes. */
export interface JsonBody {
  readonly data: unknown
  readonly bytes: Uint8Array
}

/** Reads the body as JSON. Fails with the problem for the client: 415, 413, 408, 400, or 503 if there is no room. */
export const readJson = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest,
  options: { readonly mediaTypes: ReadonlyArray<string>; readonly sizeMaxBytes?: number }
) {
  const sizeMaxBytes = options.sizeMaxBytes ?? bodySizeMaxBytes
  // A request copies its headers at each access: access them once.
  const { headers } = request
  const refusal = refusalOfBody(headers, { ...options, sizeMaxBytes })
  if (refusal !== undefined) return yield* Effect.fail(refusal)
  const declaredBytes = Number(headers["content-length"] ?? Number.POSITIVE_INFINITY)
  const bytes = yield* readBytes(request, declaredBytes, sizeMaxBytes)
  yield* Effect.flatten(Turn)
  const body: JsonBody = { data: yield* Effect.fromResult(parseJson(bytes)), bytes }
  return body
})

/** Why a body is refused unread: for its type or coding, or for a declared size above the limit. */
export const refusalOfBody = (
  headers: Readonly<Record<string, string | undefined>>,
  { mediaTypes, sizeMaxBytes }: { readonly mediaTypes: ReadonlyArray<string>; readonly sizeMaxBytes: number }
): Problem | undefined => {
  const type = checkMediaType(headers["content-type"], mediaTypes)
  if (Result.isFailure(type)) return type.failure
  const coding = checkCoding(headers["content-encoding"])
  if (Result.isFailure(coding)) return coding.failure
  const declared = headers["content-length"]
  return declared !== undefined && Number(declared) > sizeMaxBytes ? tooLarge(sizeMaxBytes) : undefined
}

/** Reads the bytes and reserves room for those that have come, not for those that are only announced. */
const readBytes = (
  request: HttpServerRequest.HttpServerRequest,
  declaredBytes: number,
  sizeMaxBytes: number
): Effect.Effect<Uint8Array, Problem> =>
  withDeadline(declaredBytes <= smallMaxBytes ? readSmall(request) : readParts(request, sizeMaxBytes))

/** Reads a body that is announced as small at once: following its parts would cost more than the rest of the request. */
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

/** Checks that a `Content-Type` is one of these. Ignores its parameters, but refuses a charset other than UTF-8. */
export const checkMediaType = (
  contentType: string | undefined,
  mediaTypes: ReadonlyArray<string>
): Result.Result<void, Problem> => {
  // Most clients write it like this.
  if (contentType === mediaTypes[0]) return Result.void
  const expected = mediaTypes.join(" or ")
  if (contentType === undefined || contentType.trim() === "") {
    return Result.fail(problem("unsupported-media-type", `The body has no Content-Type: send ${expected}`, {}))
  }
  const [essence = "", ...parameters] = contentType.split(";").map((part) => part.trim().toLowerCase())
  if (!mediaTypes.includes(essence)) {
    return Result.fail(problem("unsupported-media-type", `This path does not take ${essence}: send ${expected}`, {}))
  }
  const foreign = parameters.find((it) => it.startsWith("charset=") && !/^charset="?utf-?8"?$/.test(it))
  return foreign === undefined
    ? Result.void
    : Result.fail(problem("unsupported-media-type", `The body must be UTF-8 (RFC 8259 §8.1), not ${foreign}`, {}))
}

/** Refuses compressed bodies: nobody knows their size before they are unpacked (RFC 9110 §8.4). */
export const checkCoding = (contentEncoding: string | undefined): Result.Result<void, Problem> =>
  contentEncoding === undefined || /^\s*(identity)?\s*$/i.test(contentEncoding)
    ? Result.void
    : Result.fail(
        problem(
          "unsupported-media-type",
          `The body must not be encoded as ${contentEncoding}: send it without Content-Encoding`,
          {}
        )
      )

const decoder = new TextDecoder("utf-8", { fatal: true })

/** Parses bytes as JSON, or returns the problem that says why they are not JSON. */
export const parseJson = (bytes: Uint8Array): Result.Result<unknown, Problem> => {
  const text = Result.try({
    try: () => decoder.decode(bytes),
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
  // If a key is repeated, the parser silently keeps one member and drops the others.
  if (countMembers(value.success) !== membersCount) {
    const key = JSON.stringify(repeatedKey(text.success)).slice(0, shownMax)
    return Result.fail(invalidRequest(`The body has an object with the key ${key} twice: give each key once`))
  }
  // UTF-8 replaces an escaped lone surrogate by another character. The leader that holds the string and the follower
  // that reads it from the log would hold different records.
  if (/\\u[dD][89a-fA-F]/.test(text.success) && !isWellFormed(value.success)) {
    return Result.fail(
      invalidRequest("The body holds a lone surrogate, which UTF-8 cannot encode: send whole characters")
    )
  }
  return value
}

/** Messages quote at most so many characters of a number or a key. */
const shownMax = 100

/** The message for a number that would be stored as another one. */
const inexactNumber = (number: string): string => {
  const read = Number(number)
  const becomes = Number.isFinite(read) ? `would be read as ${read}` : "is larger than a double can hold"
  return `The number ${number.slice(0, shownMax)} ${becomes}: send fewer digits, or a string`
}

/** The problem of a body that breaks off. */
export const unreadable = invalidRequest("The connection failed before the body was complete: send the request again")

/** The problem of a body above the limit. */
export const tooLarge = (sizeMaxBytes: number) =>
  problem("too-large", `The body is larger than ${sizeMaxBytes} bytes: send less`, {})

/** Recurses no deeper than {@link depthMax}. */
const isWellFormed = (value: unknown): boolean => {
  if (typeof value === "string") return value.isWellFormed()
  if (Array.isArray(value)) return value.every(isWellFormed)
  if (value === null || typeof value !== "object") return true
  return Object.entries(value).every(([key, it]) => key.isWellFormed() && isWellFormed(it))
}
