/** Every error that a client can meet: one table for the code, the wire and the OpenAPI document. RFC 9457. Imported by all rooms. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as ErrorReporter from "effect/ErrorReporter"
import * as HttpServerRespondable from "effect/http/HttpServerRespondable"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"

/** The media type of every error body. */
export const problemMediaType = "application/problem+json"

/** What is wrong with one place of a request; `path` is dotted, `2.price` for the third record of a bulk. */
export interface ProblemError {
  readonly path: string
  readonly message: string
}

interface Definition {
  readonly status: number
  readonly title: string
  readonly members: Schema.Struct.Fields
  /** Seconds after which the same request may fare better. */
  readonly retryAfterSeconds?: number
}

const define = <const Fields extends Schema.Struct.Fields>(definition: {
  readonly status: number
  readonly title: string
  readonly members: Fields
  readonly retryAfterSeconds?: number
}) => definition

/** Written on every 503 and 507 of a write: this attempt is certainly not done. */
const certainlyNotDone = { definite: Schema.Literal(true) }

/** The problems of Lithair itself, by the name that follows `urn:lithair:problem:`. */
export const problemDefinitions = {
  "invalid-request": define({ status: 400, title: "Invalid request", members: {} }),
  // Of the administration: no credential, or one that is not the cluster's.
  unauthenticated: define({ status: 401, title: "Not authenticated", members: {} }),
  forbidden: define({ status: 403, title: "Forbidden", members: {} }),
  "not-found": define({
    status: 404,
    title: "Not found",
    // Where it is the path that is unknown, and not the record.
    members: { served: Schema.optionalKey(Schema.Literal(false)) }
  }),
  "method-not-allowed": define({ status: 405, title: "Method not allowed", members: {} }),
  "request-timeout": define({ status: 408, title: "Request timeout", members: {} }),
  "unique-violation": define({ status: 409, title: "Value already taken", members: {} }),
  "already-exists": define({ status: 409, title: "Id already in use", members: {} }),
  "rule-broken": define({ status: 409, title: "Rule broken", members: {} }),
  "reference-missing": define({ status: 409, title: "Refers to nothing", members: {} }),
  referenced: define({
    status: 409,
    title: "Still referred to",
    // The first of the records that refer to it, and the field by which it does.
    members: { by: Schema.Struct({ model: Schema.String, field: Schema.String, id: Schema.String }) }
  }),
  "append-only": define({ status: 409, title: "Never changed", members: {} }),
  "command-only": define({ status: 409, title: "Changed by commands only", members: {} }),
  // Of an idempotency key: nothing was done by this copy of the request. By an earlier one it may have been, if it expired.
  "operation-closed": define({ status: 409, title: "Operation closed", members: { key: Schema.String } }),
  "operation-expired": define({ status: 409, title: "Operation expired", members: { key: Schema.String } }),
  "membership-refused": define({
    status: 409,
    title: "Change of the cluster refused",
    members: { ...certainlyNotDone, reason: Schema.String }
  }),
  // Where to start over: the oldest position from which this node can resume.
  "version-conflict": define({
    status: 412,
    title: "Version conflict",
    // Null when there is no such record: If-Match on an absent one.
    members: { currentVersion: Schema.NullOr(Schema.Int) }
  }),
  "too-large": define({ status: 413, title: "Request too large", members: {} }),
  "unsupported-media-type": define({ status: 415, title: "Unsupported media type", members: {} }),
  "expectation-failed": define({ status: 417, title: "Expectation failed", members: {} }),
  "key-reused": define({ status: 422, title: "Idempotency key reused", members: { key: Schema.String } }),
  "head-too-large": define({ status: 431, title: "Request header fields too large", members: {} }),
  internal: define({ status: 500, title: "Internal error", members: {} }),
  "no-quorum": define({ status: 503, title: "No quorum", members: certainlyNotDone, retryAfterSeconds: 1 }),
  overloaded: define({ status: 503, title: "Overloaded", members: certainlyNotDone, retryAfterSeconds: 1 }),
  draining: define({ status: 503, title: "Draining", members: certainlyNotDone, retryAfterSeconds: 1 }),
  // A read of a node that has just started, and a member that is none any more.
  starting: define({ status: 503, title: "Starting", members: certainlyNotDone, retryAfterSeconds: 1 }),
  removed: define({ status: 503, title: "Removed from the cluster", members: certainlyNotDone }),
  "not-caught-up": define({ status: 503, title: "Not caught up", members: {}, retryAfterSeconds: 1 }),
  "too-stale": define({ status: 503, title: "Too stale", members: {}, retryAfterSeconds: 1 }),
  // Until its code is mended, and until the history is there again: asking again does not help.
  "projection-failed": define({
    status: 503,
    title: "Projection failed",
    members: { projection: Schema.String }
  }),
  "projection-unavailable": define({
    status: 503,
    title: "Projection unavailable",
    members: { projection: Schema.String }
  }),
  // A leader that is too old hands on.
  "upgrade-required": define({
    status: 503,
    title: "Upgrade required",
    members: certainlyNotDone,
    retryAfterSeconds: 1
  }),
  "unknown-outcome": define({
    status: 504,
    title: "Unknown outcome",
    // A key that the command did not carry would name nothing, and a retry with it would do the write again.
    members: {
      definite: Schema.Literal(false),
      key: Schema.optionalKey(Schema.String),
      operation: Schema.optionalKey(Schema.String)
    }
  }),
  "storage-full": define({ status: 507, title: "Storage full", members: certainlyNotDone })
} satisfies Record<string, Definition>

/** The name of a problem of Lithair itself. */
export type ProblemName = keyof typeof problemDefinitions

/** The members that a problem of this name must carry besides its detail. */
export type ProblemMembers<Name extends ProblemName> = Schema.Struct.Type<(typeof problemDefinitions)[Name]["members"]>

/** The members that any problem may carry. */
export interface CommonMembers {
  readonly errors?: ReadonlyArray<ProblemError>
  /** The position of the failing operation in a transaction. */
  readonly opIndex?: number
}

/** An error that a client meets. Failing with it answers it; nothing but these fields goes on the wire, no cause and no stack. */
export class Problem extends Data.TaggedError("Problem")<{
  readonly kind: string
  readonly status: number
  readonly title: string
  readonly detail: string
  readonly members: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>
}> {
  override get message(): string {
    return this.detail
  }
  override get [ErrorReporter.ignore](): boolean {
    return this.status < 500
  }
  [HttpServerRespondable.symbol]() {
    return Effect.succeed(toResponse(this))
  }
}

/**
 * A problem of the table.
 *
 * @example
 * ```ts
 * problem("version-conflict", "Product is at version 3, not 2", { currentVersion: 3 })
 * ```
 */
export const problem = <Name extends ProblemName>(
  name: Name,
  detail: string,
  members: ProblemMembers<Name> & CommonMembers
): Problem => {
  const definition: Definition = problemDefinitions[name]
  const headers: Record<string, string> =
    definition.retryAfterSeconds === undefined ? {} : { "retry-after": String(definition.retryAfterSeconds) }
  return new Problem({
    kind: name,
    status: definition.status,
    title: definition.title,
    detail,
    members: { ...members },
    headers
  })
}

/** 400 with the places that are wrong. */
export const invalidRequest = (detail: string, errors: ReadonlyArray<ProblemError> = []): Problem =>
  problem("invalid-request", detail, errors.length === 0 ? {} : { errors })

/** 404. */
export const notFound = (detail: string): Problem => problem("not-found", detail, {})

/** 404 of a path that this node's code does not know: another node's may, as in a rolling upgrade. */
export const notServed = (detail: string): Problem => problem("not-found", detail, { served: false })

/** 405, with the verbs that the path knows in `Allow` (RFC 9110 §15.5.6 requires it). */
export const methodNotAllowed = (method: string, allow: ReadonlyArray<string>): Problem => {
  const plain = problem("method-not-allowed", `${method} is not possible here: use ${allow.join(", ")}`, {})
  return new Problem({ ...fieldsOf(plain), headers: { allow: allow.join(", ") } })
}

/** 422. */
export const keyReused = (key: string): Problem =>
  problem("key-reused", "This idempotency key came with another request", { key })

/** The rejection of a model's rule or of a command, whose names belong to the application. */
export const declaredProblem = (declared: {
  readonly kind: string
  readonly status: number
  readonly title: string
  readonly detail: string
  readonly members?: Readonly<Record<string, unknown>>
}): Problem => new Problem({ ...declared, members: declared.members ?? {}, headers: {} })

/** The same problem, with more headers on its answer. */
export const withHeaders = (met: Problem, headers: Readonly<Record<string, string>>): Problem =>
  new Problem({ ...fieldsOf(met), headers: { ...met.headers, ...headers } })

/** The same problem, with these members in the place of its own. */
export const withMembers = (met: Problem, members: Readonly<Record<string, unknown>>): Problem =>
  new Problem({ ...fieldsOf(met), members: { ...met.members, ...members } })

/** The same problem with the position of the operation that met it. */
export const atOperation = (met: Problem, opIndex: number): Problem => withMembers(met, { opIndex })

/** The same problem of one part of a request: what it says is wrong is wrong there, at a place or as a whole. */
export const within = (met: Problem, place: string): Problem => {
  const errors = (met.members.errors ?? [{ path: "", message: met.detail }]) as ReadonlyArray<ProblemError>
  const placed = errors.map(({ message, path }) => ({ path: path === "" ? place : `${place}.${path}`, message }))
  return new Problem({ ...fieldsOf(met), members: { ...met.members, errors: placed } })
}

const fieldsOf = (met: Problem) => ({
  kind: met.kind,
  status: met.status,
  title: met.title,
  detail: met.detail,
  members: met.members,
  headers: met.headers
})

/** The JSON body. The five standard members come last, so that no extension can pass itself off as one. */
export const toJson = (met: Problem): Readonly<Record<string, unknown>> => ({
  ...met.members,
  type: `urn:lithair:problem:${met.kind}`,
  status: met.status,
  title: met.title,
  detail: met.detail
})

/** The answer on the wire. */
export const toResponse = (met: Problem): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(toJson(met), {
    status: met.status,
    contentType: problemMediaType,
    headers: met.headers
  })

/**
 * Answers a request whose handler fails or dies with an error, by its problem: in the derived API, and in the routes of
 * an application. Error classes of the library have it as a method.
 */
export const answerBy = (met: Problem): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.succeed(toResponse(met))

/** The name of that method. */
export const responds = HttpServerRespondable.symbol
