/** A page that does not change while the node runs. Compressed once; a client that has it gets 304. RFC 9110 §12.5.3, §13.1.2. */
import { createHash } from "node:crypto"
import { gzip } from "node:zlib"
import { Effect, Result } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { parseCondition } from "./ETag.ts"

/** A page that is ready to send. */
export interface CachedPage {
  readonly contentType: string
  readonly plain: Uint8Array
  readonly gzipped: Uint8Array
  /** The weak tag that both codings of the page share. */
  readonly hash: string
  readonly headers: Readonly<Record<string, string>>
}

/** Compresses a page, off the event loop. */
export const makePage = Effect.fnUntraced(function* (options: {
  readonly body: string
  readonly contentType: string
  readonly headers?: Readonly<Record<string, string>>
}) {
  const plain = new TextEncoder().encode(options.body)
  const gzipped = yield* Effect.callback<Uint8Array>((resume) => {
    // Compressing bytes in memory fails only when memory does.
    gzip(plain, (error, bytes) => resume(error === null ? Effect.succeed(new Uint8Array(bytes)) : Effect.die(error)))
  })
  const page: CachedPage = {
    contentType: options.contentType,
    plain,
    gzipped,
    hash: createHash("sha256").update(plain).digest("base64url").slice(0, 22),
    headers: options.headers ?? {}
  }
  return page
})

/** The answer to one request for the page. */
export const answerPage = (
  page: CachedPage,
  request: HttpServerRequest.HttpServerRequest
): HttpServerResponse.HttpServerResponse => {
  const headers = {
    ...page.headers,
    etag: `W/"${page.hash}"`,
    // The page changes with the models. A browser may keep it, but must ask each time whether it still holds.
    "cache-control": "no-cache",
    vary: "accept-encoding"
  }
  if (hasPage(page, request.headers["if-none-match"])) return HttpServerResponse.empty({ status: 304, headers })
  const { contentType } = page
  return takesGzip(request.headers["accept-encoding"])
    ? HttpServerResponse.uint8Array(page.gzipped, { contentType, headers: { ...headers, "content-encoding": "gzip" } })
    : HttpServerResponse.uint8Array(page.plain, { contentType, headers })
}

/** Whether an `Accept-Encoding` takes gzip. The weight of `gzip` counts before the weight of `*`. */
export const takesGzip = (header: string | undefined): boolean => {
  if (header === undefined) return false
  const weights = new Map<string, number>()
  for (const part of header.toLowerCase().split(",")) {
    const [coding = "", ...parameters] = part.split(";").map((it) => it.trim())
    const weight = parameters.find((it) => it.startsWith("q="))
    weights.set(coding, weight === undefined ? 1 : Number(weight.slice(2)))
  }
  return (weights.get("gzip") ?? weights.get("*") ?? 0) > 0
}

/** Ignores a malformed condition and sends the page: nothing is written, so ignoring is safe. */
const hasPage = (page: CachedPage, header: string | undefined): boolean => {
  if (header === undefined) return false
  const condition = parseCondition("If-None-Match", header)
  if (Result.isFailure(condition)) return false
  return condition.success._tag === "Any" || condition.success.tags.some((it) => it.opaque === page.hash)
}
