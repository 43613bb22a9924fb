/**
 * A bucket of S3, or of a service that speaks its protocol, as a store for backups. Objects go up in parts of one size, so
 * that memory is bounded and every service takes them; until the last request none is there. Each request says the digest
 * of its bytes, is tried again a few times, and ends within a minute. docs/decisions/0027-object-stores.md.
 */
import { createHash } from "node:crypto"
import { AwsV4Signer } from "aws4fetch"
import { Effect, Layer, Redacted, Schedule, Stream } from "effect"
import { HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { ObjectStore, StoreFailed } from "./ObjectStore.ts"
import { textsOf } from "./S3Xml.ts"

/** A part that is not the last. S3 takes 5 MiB at least, and 10,000 parts of an object: 78 GiB in all. */
const partBytes = 8 * 1024 * 1024
/** The most names in one answer: more than that S3 does not give. */
const namesMaxCount = 1_000
/** How long a request may take, and how often it is tried again. */
const requestTimeoutMs = 60_000
const retriesCount = 4

/** Which bucket, and who asks. */
export interface S3Options {
  readonly bucket: string
  /** Comes before the names of all objects, as in `backups/shop`. None by default. */
  readonly prefix?: string
  /** `us-east-1` by default. */
  readonly region?: string
  /** The address of another service than that of Amazon, as in `https://storage.example.com`. */
  readonly endpoint?: string
  readonly accessKeyId: string
  readonly secretAccessKey: string | Redacted.Redacted
  readonly sessionToken?: string | Redacted.Redacted | undefined
}

interface S3Request {
  readonly method: "GET" | "PUT" | "POST" | "DELETE"
  /** The name of an object with its prefix; that of none for a request to the bucket. */
  readonly key?: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: Uint8Array<ArrayBuffer>
}

const valueOf = (secret: string | Redacted.Redacted): string =>
  typeof secret === "string" ? secret : Redacted.value(secret)

/** The address of the bucket: in the path, or, at Amazon, in the name of the host. */
const bucketUrl = ({ bucket, endpoint, region = "us-east-1" }: S3Options): string =>
  endpoint === undefined ? `https://${bucket}.s3.${region}.amazonaws.com` : `${endpoint.replace(/\/+$/, "")}/${bucket}`

/** A request that may be tried again: the service is busy, or cannot be reached. */
class Passing extends StoreFailed {}

/** The service does not know such requests. */
class Unknown extends StoreFailed {}
const unknownStatus = 501

const wrong = (what: string, error: unknown): Passing =>
  new Passing({ message: `${what}: ${error instanceof Error ? error.message : String(error)}` })

/** Makes the store. `pageCount` is how many names are asked for at a time. */
export const inBucket = (
  options: S3Options,
  client: HttpClient.HttpClient,
  pageCount = namesMaxCount
): ObjectStore["Service"] => {
  const { accessKeyId, bucket, region = "us-east-1", secretAccessKey, sessionToken } = options
  const prefix =
    options.prefix === undefined || options.prefix === "" ? "" : `${options.prefix.replace(/^\/+|\/+$/g, "")}/`
  const place = `s3://${bucket}/${prefix}`

  const late = (method: string) =>
    new Passing({ message: `${method} ${place}: nothing came within ${requestTimeoutMs} ms` })

  const sendOnce = Effect.fnUntraced(function* ({ body, key, method, query = {} }: S3Request) {
    const what = `${method} ${place}${key === undefined ? "" : key.slice(prefix.length)}`
    const url = new URL(`${bucketUrl(options)}${key === undefined ? "" : `/${key}`}`)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    const digest = createHash("sha256")
      .update(body ?? new Uint8Array(0))
      .digest("hex")
    const signed = yield* Effect.tryPromise({
      try: () =>
        new AwsV4Signer({
          method,
          url: url.toString(),
          headers: { "x-amz-content-sha256": digest },
          accessKeyId,
          secretAccessKey: valueOf(secretAccessKey),
          ...(sessionToken === undefined ? {} : { sessionToken: valueOf(sessionToken) }),
          service: "s3",
          region
        }).sign(),
      catch: (error) => new StoreFailed({ message: `${what} cannot be signed: ${String(error)}` })
    })
    const request = HttpClientRequest.make(method)(signed.url.toString()).pipe(
      HttpClientRequest.setHeaders(Object.fromEntries(signed.headers.entries())),
      body === undefined ? (same) => same : HttpClientRequest.bodyUint8Array(body)
    )
    const response = yield* Effect.mapError(client.execute(request), (error) => wrong(what, error))
    if (response.status >= 200 && response.status < 300) return response
    const text = yield* Effect.orElseSucceed(response.text, () => "")
    const [code = String(response.status)] = textsOf(text, "Code")
    const message = `${what} was answered with ${response.status} ${code}: ${textsOf(text, "Message")[0] ?? ""}`
    if (response.status === unknownStatus) return yield* new Unknown({ message })
    const isPassing = response.status >= 500 || response.status === 429 || response.status === 408
    return yield* isPassing ? new Passing({ message }) : new StoreFailed({ message })
  })

  /** Sends a request, again if it fails for now, and uses its answer within the same limit of time. */
  const send = <A>(
    request: S3Request,
    use: (response: HttpClientResponse.HttpClientResponse) => Effect.Effect<A, StoreFailed>
  ): Effect.Effect<A, StoreFailed> =>
    Effect.flatMap(sendOnce(request), use).pipe(
      Effect.timeoutOrElse({
        duration: requestTimeoutMs,
        orElse: () => Effect.fail(late(request.method))
      }),
      Effect.retry({
        while: (failed) => failed instanceof Passing,
        schedule: Schedule.exponential(200).pipe(Schedule.upTo({ times: retriesCount }))
      })
    )
  const text = (request: S3Request) =>
    send(request, (response) => Effect.mapError(response.text, (error) => wrong(`${request.method} ${place}`, error)))
  const done = (request: S3Request) => Effect.asVoid(text(request))

  /** All pages of a list of the bucket: the texts of an element. */
  const listed = Effect.fnUntraced(function* (
    query: Readonly<Record<string, string>>,
    parent: string,
    element: string
  ) {
    const found: Array<string> = []
    for (let token: string | undefined; ; ) {
      const page: string = yield* text({
        method: "GET",
        query: {
          "list-type": "2",
          "max-keys": String(pageCount),
          ...query,
          ...(token === undefined ? {} : { "continuation-token": token })
        }
      })
      for (const inside of textsOf(page, parent)) found.push(...textsOf(inside, element))
      token = textsOf(page, "NextContinuationToken")[0]
      if (token === undefined || textsOf(page, "IsTruncated")[0] !== "true") return found
    }
  })

  const put = Effect.fnUntraced(function* <E, R>(name: string, bytes: Stream.Stream<Uint8Array, E, R>) {
    const key = prefix + name
    let part = new Uint8Array(partBytes)
    let filledBytes = 0
    let totalBytes = 0
    let uploadId: string | undefined
    const tags: Array<string> = []

    const sendPart = Effect.gen(function* () {
      if (uploadId === undefined) {
        const begun = yield* text({ method: "POST", key, query: { uploads: "" } })
        uploadId = textsOf(begun, "UploadId")[0]
        if (uploadId === undefined)
          return yield* new StoreFailed({ message: `${place} has begun no upload of ${name}` })
      }
      const query = { partNumber: String(tags.length + 1), uploadId }
      const tag = yield* send({ method: "PUT", key, query, body: part.slice(0, filledBytes) }, (response) =>
        Effect.as(Effect.ignore(response.text), response.headers.etag)
      )
      if (tag === undefined)
        return yield* new StoreFailed({ message: `${place} has given no tag for a part of ${name}` })
      tags.push(tag)
      filledBytes = 0
    })
    const take = Effect.fnUntraced(function* (more: Uint8Array) {
      for (let at = 0; at < more.length; ) {
        const taken = Math.min(more.length - at, partBytes - filledBytes)
        part.set(more.subarray(at, at + taken), filledBytes)
        filledBytes += taken
        totalBytes += taken
        at += taken
        if (filledBytes === partBytes) yield* sendPart
      }
    })
    const end = Effect.gen(function* () {
      if (uploadId === undefined) return yield* done({ method: "PUT", key, body: part.slice(0, filledBytes) })
      if (filledBytes > 0) yield* sendPart
      const parts = tags.map((tag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${tag}</ETag></Part>`)
      const body = new TextEncoder().encode(`<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`)
      const answer = yield* text({ method: "POST", key, query: { uploadId }, body })
      // The answer begins before the work is done, so its status says nothing.
      const [code] = textsOf(answer, "Code")
      if (code !== undefined) return yield* new StoreFailed({ message: `${place} has not completed ${name}: ${code}` })
    })
    yield* Effect.andThen(Stream.runForEach(bytes, take), end).pipe(
      Effect.onError(() =>
        uploadId === undefined ? Effect.void : Effect.ignore(done({ method: "DELETE", key, query: { uploadId } }))
      )
    )
    part = new Uint8Array(0)
    return totalBytes
  })

  return ObjectStore.of({
    place,
    put,
    get: (name) =>
      Stream.unwrap(
        send({ method: "GET", key: prefix + name }, (response) =>
          Effect.succeed(
            response.stream.pipe(
              Stream.mapError((error) => wrong(`GET ${place}${name}`, error)),
              Stream.timeoutOrElse({ duration: requestTimeoutMs, orElse: () => Stream.fail(late("GET")) })
            )
          )
        )
      ),
    folders: Effect.map(listed({ prefix, delimiter: "/" }, "CommonPrefixes", "Prefix"), (found) =>
      found.map((each) => each.slice(prefix.length, -1))
    ),
    list: (folder) =>
      Effect.map(listed({ prefix: `${prefix}${folder}/` }, "Contents", "Key"), (found) =>
        found.map((key) => key.slice(prefix.length + folder.length + 1)).toSorted()
      ),
    remove: (name) => done({ method: "DELETE", key: prefix + name }),
    sweep: (folder) =>
      Effect.gen(function* () {
        const page = yield* text({ method: "GET", query: { uploads: "", prefix: `${prefix}${folder}/` } })
        for (const upload of textsOf(page, "Upload")) {
          const [key] = textsOf(upload, "Key")
          const [uploadId] = textsOf(upload, "UploadId")
          if (key?.startsWith(`${prefix}${folder}/`) && uploadId !== undefined) {
            yield* done({ method: "DELETE", key, query: { uploadId } })
          }
        }
      }).pipe(
        // Some services do not list uploads that were cut off; they remove them by a rule of their own.
        Effect.catchIf(
          (failed) => failed instanceof Unknown,
          () => Effect.void
        )
      )
  })
}

/**
 * A bucket as a store for backups. It needs an `HttpClient`, such as that of `FetchHttpClient.layer`. Its keys must
 * allow reading, writing, listing and removing objects under the prefix.
 */
export const layerS3 = (options: S3Options): Layer.Layer<ObjectStore, never, HttpClient.HttpClient> =>
  Layer.effect(
    ObjectStore,
    Effect.map(HttpClient.HttpClient, (client) => inBucket(options, client))
  )
